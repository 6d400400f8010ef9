import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import { afterAll, describe, expect, it } from "vitest";
import { openDataset } from "../../../src/data/dataset.ts";

const here = new URL(".", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "images-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function paint(name: string, colour: string): void {
  const canvas = createCanvas(4, 2);
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 4, 2);
  writeFileSync(join(folder, name), canvas.toBuffer("image/png"));
}
for (const name of ["cat", "dog", "bad"]) mkdirSync(join(folder, name));
paint("cat/1.png", "rgb(255, 0, 51)");
paint("dog/1.png", "rgb(0, 0, 0)");
writeFileSync(join(folder, "bad/1.png"), "this is no picture");

const plain = { mean: [0, 0, 0], deviation: [1, 1, 1], width: 2, height: 1 };
const open = (options: object) =>
  openDataset({ reader: "images", folder, pattern: "{cat,dog}/*.png", ...plain, ...options }, here);

describe("images", () => {
  it("scales and arranges pictures; the folder is the class", async () => {
    const dataset = await open({});
    expect(dataset.length).toBe(2);
    const { inputs, target, slices } = await dataset.read(0);
    const image = inputs.get("image")!;
    expect(image.shape).toEqual([1, 3, 1, 2]);
    expect([...image.data].map((value) => Number(Number(value).toFixed(3)))).toEqual([1, 1, 0, 0, 0.2, 0.2]);
    expect(target).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(0n) });
    expect(slices.get("class")).toBe("cat");
    const other = await (await open({ layout: "nhwc", order: "bgr", classes: ["dog", "cat"] })).read(0);
    expect([...other.inputs.get("image")!.data].map((value) => Number(Number(value).toFixed(3)))).toEqual([
      0.2, 0, 1, 0.2, 0, 1,
    ]);
    expect(other.target).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(1n) });
  });

  it("gives a model of one channel the luma", async () => {
    const grey = { order: "grey", mean: [0.1], deviation: [0.5] };
    const { inputs } = await (await open(grey)).read(0);
    const image = inputs.get("image")!;
    expect(image.shape).toEqual([1, 1, 1, 2]);
    const luma = 0.299 + (0.114 * 51) / 255;
    for (const value of image.data) expect(Number(value)).toBeCloseTo((luma - 0.1) / 0.5, 5);
    await expect(open({ order: "grey" })).rejects.toMatchObject({ code: "usage/data-option" });
  });

  it("refuses what is no picture, a class nobody named, and a folder that is not there", async () => {
    await expect((await open({ pattern: "bad/*" })).read(0)).rejects.toMatchObject({ code: "usage/bad-image" });
    await expect((await open({ classes: ["dog"] })).read(0)).rejects.toMatchObject({ code: "usage/data-option" });
    await expect(open({ folder: "nowhere" })).rejects.toMatchObject({ code: "usage/missing-data" });
    await expect(open({ pattern: "*.gif" })).rejects.toMatchObject({ code: "usage/empty-data" });
  });
});
