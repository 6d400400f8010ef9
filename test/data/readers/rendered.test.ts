import { describe, expect, it } from "vitest";
import { type Dataset, openDataset } from "../../../src/data/dataset.ts";
import { checkDisjoint, fingerprintsOf } from "../../../src/data/disjoint.ts";

const here = new URL(".", import.meta.url).pathname;
const lines = (options: object = {}): Promise<Dataset> =>
  openDataset({ reader: "rendered-lines", count: 8, ...options }, here);
const directions = (options: object = {}): Promise<Dataset> =>
  openDataset({ reader: "rendered-directions", count: 20, ...options }, here);

const easy = { noises: ["none"], contrasts: ["full"], blurs: ["sharp"], sizes: ["large"] };

describe("rendered-lines", () => {
  it("draws text as [1, 3, 48, 320] in −1..1, with a text, a document as group and its slices", async () => {
    const dataset = await lines();
    const { inputs, target, group, id, slices } = await dataset.read(0);
    const x = inputs.get("x")!;
    expect(x.shape).toEqual([1, 3, 48, 320]);
    expect(x.data).toHaveLength(3 * 48 * 320);
    const values = [...(x.data as Float32Array)];
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(new Set(values).size).toBeGreaterThan(20);
    expect(target).toMatch(/^[\x21-\x7e][\x20-\x7e]+$/);
    expect(id).toBe(`${group}#0`);
    expect([...slices.keys()]).toEqual(["font", "size", "noise", "contrast", "blur"]);
  });

  it("draws the same line for the same index, in any order, and another for another seed", async () => {
    const [first, second] = [await lines(), await lines()];
    const late = (await first.read(5)).hash;
    await second.read(2);
    expect((await second.read(5)).hash).toBe(late);
    expect((await (await lines({ seed: 1 })).read(5)).hash).not.toBe(late);
  });

  it("has splits that share no document and no picture", async () => {
    const splits = ["calibration", "selection", "certification"];
    const prints = splits.map(
      async (split) => [split, await fingerprintsOf(await lines({ split, count: 40 }))] as const,
    );
    checkDisjoint(new Map(await Promise.all(prints)));
  });

  it("names the package that a font is missing from, and refuses an unknown level", async () => {
    await expect(lines({ fonts: ["comic-neue-400"] })).rejects.toMatchObject({
      code: "usage/missing-package",
      remedy: "npm install --save-dev @fontsource/comic-neue",
    });
    await expect(lines({ noises: ["loud"] })).rejects.toMatchObject({ code: "usage/data-option" });
    await expect(lines({ fonts: ["../x-400"] })).rejects.toMatchObject({ code: "usage/data-option" });
  });

  it("makes the ink stand out from the paper as the contrast says", async () => {
    const spread = async (contrast: string) => {
      const dataset = await lines({ ...easy, contrasts: [contrast] });
      const sample = await dataset.read(1);
      const values = [...(sample.inputs.get("x")!.data as Float32Array)].filter((value) => value !== 0);
      return Math.max(...values) - Math.min(...values);
    };
    expect(await spread("full")).toBeGreaterThan(1.2);
    expect(await spread("low")).toBeLessThan(0.8);
  });
});

describe("rendered-directions", () => {
  it("turns about half of the lines by half a circle and says which", async () => {
    const dataset = await directions(easy);
    const targets: number[] = [];
    for (let index = 0; index < dataset.length; index++) {
      const { target, slices } = await dataset.read(index);
      if (target === undefined || typeof target === "string") throw new Error("a direction is a number");
      targets.push(Number(target.data[0]));
      expect(slices.get("direction")).toBe(target.data[0] === 1n ? "upside-down" : "upright");
    }
    const turned = targets.filter((target) => target === 1).length;
    expect(turned).toBeGreaterThan(4);
    expect(turned).toBeLessThan(16);
  });
});
