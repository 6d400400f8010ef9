import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CompileError } from "../../src/error.ts";
import { decode } from "../../src/onnx/decode.ts";
import { encode } from "../../src/onnx/encode.ts";
import { normalise } from "../../src/onnx/normalise.ts";
import { decodeModel } from "../../src/onnx/read.ts";
import { memorySource } from "../../src/onnx/wire.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { bytes, float, node, value } from "./models.ts";

/** Imports damaged bytes. Whether they were refused; anything thrown but a CompileError fails the test. */
function refused(file: Uint8Array): boolean {
  try {
    encodeModel(normalise(decodeModel(file)));
    return false;
  } catch (error) {
    if (error instanceof CompileError) return true;
    throw error;
  }
}

describe("a small model with random damage only ever ends in a CompileError or a graph", () => {
  const seeds = [
    bytes(),
    bytes(
      {
        node: [
          node("Conv", ["x", "w"], ["c"], { attribute: [{ name: "pads", type: 7, ints: [1, 1, 1, 1] }] }),
          node("If", ["b"], ["i"], {
            attribute: ["then_branch", "else_branch"].map((name) => ({
              name,
              type: 5,
              g: { node: [node("Relu", ["c"], [`${name}-r`])], output: [value(`${name}-r`, [1, 1, 4, 4])] },
            })),
          }),
          node("Softmax", ["i"], ["m"], { attribute: [{ name: "axis", type: 2, i: 3 }] }),
          node("Reshape", ["m", "shape"], ["y"]),
        ],
        initializer: [
          float("w", [1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
          { name: "shape", dims: [2], dataType: 7, int64Data: [Uint8Array.of(4, 4)] },
        ],
        input: [value("x", [1, 1, 4, 4]), value("b", [], 9)],
        output: [value("y", [4, 4])],
      },
      { opsetImport: [{ version: 11 }] },
    ),
  ];

  test("the undamaged ones are fine", () => {
    for (const seed of seeds) expect(refused(seed)).toBe(false);
  });

  /** Flips, cuts, repeats and inserts: enough of each to reach every field. */
  const damage = fc.array(
    fc.record({ at: fc.nat(4000), kind: fc.nat(4), byte: fc.nat(255), count: fc.integer({ min: 1, max: 16 }) }),
    { minLength: 1, maxLength: 4 },
  );

  test("in its bytes", () => {
    let count = 0;
    fc.assert(
      fc.property(fc.constantFrom(...seeds), damage, (seed, changes) => {
        let file = [...seed];
        for (const { at, kind, byte, count } of changes) {
          const place = at % file.length;
          if (kind === 0) file[place] = byte;
          else if (kind === 1) file[place] ^= 1 << (byte % 8);
          else if (kind === 2) file = file.toSpliced(place, count);
          else if (kind === 3) file = file.toSpliced(place, 0, ...new Array<number>(count).fill(byte));
          else file = file.toSpliced(place, 0, ...file.slice(0, count));
          if (file.length === 0) return;
        }
        if (refused(Uint8Array.from(file))) count++;
      }),
      { seed: 20_250_801, numRuns: 4000 },
    );
    expect(count).toBeGreaterThan(1000);
  });

  /** Every field and list element of a decoded message, as a place that can be overwritten. */
  function places(holder: object, found: [holder: Record<string, unknown>, key: string][] = []) {
    for (const [key, inner] of Object.entries(holder)) {
      found.push([holder as Record<string, unknown>, key]);
      if (typeof inner === "object" && !(inner instanceof Uint8Array)) places(inner, found);
    }
    return found;
  }

  const sizes = [0, -1, 1, 2, 7, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 40, 2n ** 63n - 1n, -(2n ** 63n)];

  test("in its fields: sizes, names, lists", () => {
    let count = 0;
    const change = fc.record({
      at: fc.nat(4000),
      size: fc.constantFrom(...sizes),
      pick: fc.nat(1000),
      keep: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 3 }), (seed, changes) => {
        const model = decode("ModelProto", memorySource(seed));
        for (const { at, size, pick, keep } of changes) {
          const all = places(model.graph ?? {});
          const [holder, key] = all[at % all.length];
          const found = holder[key];
          const names = all.map(([place, name]) => place[name]).filter((name) => typeof name === "string");
          if (typeof found === "number" || typeof found === "bigint") holder[key] = size;
          else if (typeof found === "string") holder[key] = names[pick % names.length];
          else if (found instanceof Uint8Array) holder[key] = found.slice(0, pick % (found.length + 1));
          else if (Array.isArray(found) && found.length > 0) {
            if (keep) found.push(found[pick % found.length]);
            else found.splice(pick % found.length, 1);
          } else if (!Array.isArray(holder)) delete holder[key];
        }
        if (refused(encode("ModelProto", model))) count++;
      }),
      { seed: 20_250_802, numRuns: 3000 },
    );
    expect(count).toBeGreaterThan(500);
  });
});
