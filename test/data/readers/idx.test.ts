import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { openDataset } from "../../../src/data/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "idx-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function idx(shape: readonly number[], data: readonly number[], type = 8): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = type;
  head[3] = shape.length;
  shape.forEach((dim, axis) => {
    head.writeUInt32BE(dim, 4 + 4 * axis);
  });
  return Buffer.concat([head, Buffer.from(data)]);
}

function put(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return name;
}

describe("idx", () => {
  const images = put("images", idx([3, 1, 2], [0, 255, 51, 102, 1, 2]));
  const labels = put("labels.gz", gzipSync(idx([3], [5, 9, 5])));

  it("scales pixels, gives the class as target and slice, and its own content as group", async () => {
    const dataset = await openDataset({ reader: "idx", images, labels, offset: 1, input: "x" }, folder);
    expect(dataset.length).toBe(2);
    const sample = await dataset.read(0);
    expect(sample.inputs.get("x")).toEqual({
      dtype: "float32",
      shape: [1, 1, 1, 2],
      data: Float32Array.of(51 / 255, 102 / 255),
    });
    expect(sample.target).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(9n) });
    expect(sample.slices.get("class")).toBe("9");
    expect(sample.group).toBe(sample.hash);
    expect(sample.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("shapes and shifts as told", async () => {
    const dataset = await openDataset({ reader: "idx", images, shape: [1, 2], scale: 1, shift: -1 }, folder);
    const sample = await dataset.read(2);
    expect(sample.inputs.get("image")).toEqual({ dtype: "float32", shape: [1, 2], data: Float32Array.of(0, 1) });
    expect(sample.target).toBeUndefined();
  });

  it.each([
    ["another file", Buffer.from("hello world, this is text"), "usage/not-idx"],
    ["floats", idx([1], [0, 0, 0, 0], 13), "usage/not-idx"],
    ["a header that says more", idx([2, 28, 28], [1, 2, 3]), "usage/not-idx"],
    ["dims whose product overflows", idx([0xffffffff, 0xffffffff, 0xffffffff], [1]), "usage/not-idx"],
    ["an empty file", Buffer.alloc(0), "usage/truncated-data"],
    ["a truncated gzip stream", gzipSync(idx([1, 1, 1], [1])).subarray(0, 20), "usage/broken-data"],
    ["a gzip stream with a flipped byte", flipped(gzipSync(idx([3, 1, 1], [1, 2, 3]))), "usage/broken-data"],
    ["no images", idx([0, 28, 28], []), "usage/empty-data"],
  ])("refuses %s", async (_, bytes, code) => {
    const name = put("bad", bytes);
    await expect(openDataset({ reader: "idx", images: name }, folder)).rejects.toMatchObject({ code });
  });

  it("refuses labels of another length and a shape of another size", async () => {
    const short = put("short", idx([2], [1, 2]));
    const open = (more: object) => openDataset({ reader: "idx", images, ...more }, folder);
    await expect(open({ labels: short })).rejects.toMatchObject({ code: "usage/data-length" });
    await expect(open({ shape: [1, 3] })).rejects.toMatchObject({ code: "usage/data-shape" });
  });
});

function flipped(bytes: Buffer): Buffer {
  bytes[bytes.length - 6] ^= 1;
  return bytes;
}
