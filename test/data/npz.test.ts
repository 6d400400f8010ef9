import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { zipSync } from "fflate";
import { afterAll, describe, expect, it } from "vitest";
import { type DataArray, openDataset } from "../../src/data/dataset.ts";
import { encodeNpy, readNpyHeader, readNumbers } from "../../src/data/npy.ts";
import { ofBytes } from "../../src/data/source.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { CompileError } from "../../src/error.ts";

const folder = mkdtempSync(join(tmpdir(), "npz-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function npy(literal: string, data: Uint8Array, version = 1): Uint8Array {
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY", "latin1");
  head[6] = version;
  head.writeUInt16LE(literal.length, 8);
  return Buffer.concat([head, Buffer.from(literal, "latin1"), data]);
}

const header = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

/** A text array as numpy stores it: UTF-32, padded with zeros. */
function textArray(texts: readonly string[]): Uint8Array {
  const width = Math.max(...texts.map((text) => [...text].length));
  const data = new Uint32Array(texts.length * width);
  texts.forEach((text, row) => {
    data.set(
      [...text].map((letter) => letter.codePointAt(0)!),
      row * width,
    );
  });
  return npy(header(`'<U${width}'`, `(${texts.length},)`), new Uint8Array(data.buffer));
}

const floats = (shape: number[], values: ArrayLike<number>): DataArray => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});

let files = 0;
function put(entries: Record<string, Uint8Array>, level: 0 | 6 = 6): string {
  const path = join(folder, `${files++}.npz`);
  writeFileSync(
    path,
    zipSync(Object.fromEntries(Object.entries(entries).map(([name, bytes]) => [`${name}.npy`, bytes])), { level }),
  );
  return path;
}

async function failure(work: () => unknown): Promise<CompileError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("npy", () => {
  it("gives back what it wrote, for every type and shape", () => {
    const arrays = [
      Float32Array,
      Float64Array,
      Int8Array,
      Uint8Array,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
    ];
    const names = ["float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32"] as const;
    const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
    fc.assert(
      fc.property(shape, fc.nat(names.length - 1), (dims, which) => {
        const count = dims.reduce((product, dim) => product * dim, 1);
        const data = arrays[which].from(Array.from({ length: count }, (_, index) => index * 7));
        const source = ofBytes("x.npy", encodeNpy({ dtype: names[which], shape: dims, data }));
        const found = readNpyHeader(source);
        expect(found.dtype).toBe(names[which]);
        expect(found.shape).toEqual(dims);
        expect(readNumbers(source, found, 0, count)).toEqual(data);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it.each([
    ["a pickled object", npy(header("'|O'", "(1,)"), new Uint8Array(8)), "usage/pickled-data"],
    ["big-endian numbers", npy(header("'>f4'", "(1,)"), new Uint8Array(4)), "usage/unsupported-npy"],
    ["complex numbers", npy(header("'<c8'", "(1,)"), new Uint8Array(8)), "usage/unsupported-npy"],
    ["records", npy(header("[('a', '<f4')]", "(1,)"), new Uint8Array(4)), "usage/unsupported-npy"],
    ["Fortran order", npy(header("'<f4'", "(2, 2)", "True"), new Uint8Array(16)), "usage/unsupported-npy"],
    ["an unknown version", npy(header("'<f4'", "(1,)"), new Uint8Array(4), 9), "usage/unsupported-npy"],
    ["too few bytes", npy(header("'<f4'", "(3,)"), new Uint8Array(8)), "usage/broken-npy"],
    ["too many bytes", npy(header("'<f4'", "(3,)"), new Uint8Array(16)), "usage/broken-npy"],
    ["a negative dim", npy(header("'<f4'", "(-1,)"), new Uint8Array(4)), "usage/broken-npy"],
    ["an endless shape", npy(header("'<f4'", "(4294967296, 4294967296, 4)"), new Uint8Array(4)), "usage/broken-npy"],
    ["a rank of 40", npy(header("'<f4'", `(${"1, ".repeat(40)})`), new Uint8Array(4)), "usage/broken-npy"],
    ["Python code", npy("__import__('os').system('x')\n", new Uint8Array(4)), "usage/broken-npy"],
    ["text that is as long as a book", npy(header("'<U99999999'", "(1,)"), new Uint8Array(4)), "usage/unsupported-npy"],
    ["no magic", new Uint8Array(64), "usage/broken-npy"],
    ["nothing", new Uint8Array(0), "usage/broken-npy"],
    ["a header past the end", npy("x".repeat(10), new Uint8Array(0)).subarray(0, 12), "usage/truncated-data"],
  ])("refuses %s", async (_, bytes, code) => {
    const error = await failure(() => readNpyHeader(ofBytes("x.npy", bytes)));
    expect(error.code).toBe(code);
    expect(error.where).toContain("x.npy");
  });

  it("never answers damaged bytes with anything but a user's error", () => {
    const good = encodeNpy(floats([2, 3], [1, 2, 3, 4, 5, 6]));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bytes = Uint8Array.from(good.subarray(0, length));
        if (at < length) bytes[at] = value;
        try {
          readNpyHeader(ofBytes("x.npy", bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(CompileError);
        }
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});

describe.each([0, 6] as const)("npz at compression %i", (level) => {
  const x = encodeNpy(floats([4, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7]));
  const y = encodeNpy({ dtype: "int64", shape: [4], data: BigInt64Array.of(3n, 1n, 4n, 1n) });

  it("reads samples with target, group, sequence and slices", async () => {
    const path = put(
      {
        x,
        target: y,
        group: textArray(["ann", "ann", "bob", "bób"]),
        sequence: encodeNpy({ dtype: "int32", shape: [4], data: Int32Array.of(7, 7, 7, 9) }),
        "slice.font": textArray(["a", "b", "b", "b"]),
      },
      level,
    );
    const dataset = await openDataset({ npz: path }, "/");
    expect(dataset.length).toBe(4);
    expect(dataset.sequences).toEqual([
      { name: "7", start: 0, length: 3 },
      { name: "9", start: 3, length: 1 },
    ]);
    const sample = await dataset.read(3);
    expect(sample.inputs.get("x")).toEqual(floats([1, 1, 2], [6, 7]));
    expect(sample.target).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(1n) });
    expect([sample.group, sample.sequence, [...sample.slices]]).toEqual(["bób", "9", [["font", "b"]]]);
    expect(dataset.describe().inputs).toEqual([{ name: "x", dtype: "float32", shape: [1, 1, 2] }]);
    dataset.close();
  });

  it("takes the samples between offset and limit, and splits by group without overlap", async () => {
    const many = 200;
    const path = put(
      {
        x: encodeNpy(
          floats(
            [many, 1],
            Array.from({ length: many }, (_, index) => index),
          ),
        ),
        group: textArray(Array.from({ length: many }, (_, index) => `page ${index >> 1}`)),
      },
      level,
    );
    const part = await openDataset({ npz: path, offset: 3, limit: 2 }, "/");
    expect(part.length).toBe(2);
    expect((await part.read(0)).inputs.get("x")?.data[0]).toBe(3);
    const groups = new Map<string, string>();
    let total = 0;
    for (const split of ["calibration", "selection", "certification"]) {
      const dataset = await openDataset({ npz: path, split }, "/");
      total += dataset.length;
      for (let index = 0; index < dataset.length; index++) {
        const { group } = await dataset.read(index);
        expect(groups.get(group) ?? split).toBe(split);
        groups.set(group, split);
      }
    }
    expect(total).toBe(many);
    expect(new Set(groups.values()).size).toBe(3);
  });

  it.each([
    ["no samples", { x: encodeNpy(floats([0, 2], [])) }, "usage/empty-data"],
    ["no inputs", { target: y }, "usage/empty-data"],
    ["arrays of different length", { x, target: encodeNpy(floats([3], [1, 2, 3])) }, "usage/data-length"],
    ["a scalar", { x: encodeNpy(floats([], [1])) }, "usage/data-shape"],
    ["an input of text", { x: textArray(["a", "b"]) }, "usage/data-type"],
    ["a pickled input", { x: npy(header("'|O'", "(1,)"), new Uint8Array(8)) }, "usage/pickled-data"],
    ["a scattered sequence", { x, sequence: textArray(["a", "b", "a", "a"]) }, "usage/data-sequence"],
    ["a group of several values", { x, group: x }, "usage/data-shape"],
  ])("refuses %s", async (_, entries, code) => {
    const path = put(entries as Record<string, Uint8Array>, level);
    expect((await failure(() => openDataset({ npz: path }, "/"))).code).toBe(code);
  });

  it("never answers a damaged archive with anything but a user's error", async () => {
    const good = zipSync({ "x.npy": x, "target.npy": y }, { level });
    const path = join(folder, "damaged.npz");
    const damage = fc.tuple(
      fc.nat(good.length - 1),
      fc.nat(255),
      fc.oneof(fc.constant(good.length), fc.nat(good.length)),
    );
    await fc.assert(
      fc.asyncProperty(damage, async ([at, value, length]) => {
        const bytes = Uint8Array.from(good.subarray(0, length));
        if (at < length) bytes[at] = value;
        writeFileSync(path, bytes);
        try {
          const dataset = await openDataset({ npz: path }, "/");
          await dataset.read(dataset.length - 1);
          dataset.close();
        } catch (error) {
          expect(error).toBeInstanceOf(CompileError);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe("npz files", () => {
  it("says that a file is missing, or is a folder", async () => {
    expect((await failure(() => openDataset({ npz: "nowhere.npz" }, folder))).code).toBe("usage/missing-data");
    expect((await failure(() => openDataset({ npz: "." }, folder))).code).toBe("usage/missing-data");
  });

  it("says what an option may have meant", async () => {
    const error = await failure(() => openDataset({ npz: "x.npz", limmit: 3 }, folder));
    expect([error.code, error.remedy]).toEqual(["usage/data-option", 'did you mean "limit"?']);
    expect((await failure(() => openDataset({ reader: "../secret" }, folder))).code).toBe("usage/unknown-reader");
    expect((await failure(() => openDataset({}, folder))).code).toBe("usage/data");
  });

  it("writes an archive that it reads, the same bytes each time", async () => {
    const arrays = new Map([["logits", floats([2, 2], [1, 2, 3, 4])]]);
    const bytes = encodeNpz(arrays);
    expect(encodeNpz(arrays)).toEqual(bytes);
    const path = join(folder, "written.npz");
    writeFileSync(path, bytes);
    const dataset = await openDataset({ npz: path }, "/");
    expect((await dataset.read(1)).inputs.get("logits")).toEqual(floats([1, 2], [3, 4]));
  });

  it("refuses a name that is there twice and data that inflates past its own size", async () => {
    const x = encodeNpy(floats([4], [0, 1, 2, 3]));
    const twice = Buffer.from(zipSync({ "x.npy": x, "y.npy": x }));
    for (let at = twice.indexOf("y.npy"); at >= 0; at = twice.indexOf("y.npy")) twice.write("x", at);
    const path = join(folder, "twice.npz");
    writeFileSync(path, twice);
    expect((await failure(() => openDataset({ npz: path }, "/"))).message).toContain("twice");
    const bomb = Buffer.from(zipSync({ "x.npy": new Uint8Array(1_000_000) }));
    const central = bomb.indexOf("PK\x01\x02", 0, "latin1");
    bomb.writeUInt32LE(1000, central + 24);
    writeFileSync(path, bomb);
    expect((await failure(() => openDataset({ npz: path }, "/"))).code).toBe("usage/data-too-big");
  });
});
