import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDataset } from "../../../src/data/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "text-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "a.txt"), "abcabcab?c");
writeFileSync(join(folder, "b.txt"), "cba");

const open = (options: object) =>
  openDataset({ reader: "text", files: ["a.txt", "b.txt"], alphabet: "abc", length: 2, ...options }, folder);

describe("text", () => {
  it("cuts windows, each with the characters that follow, and never across documents", async () => {
    const dataset = await open({ document: 5 });
    const found: string[] = [];
    for (let index = 0; index < dataset.length; index++) {
      const { inputs, target, group } = await dataset.read(index);
      if (typeof target === "string") throw new Error("a target is numbers");
      const letters = (data: ArrayLike<unknown>) => Array.from(data, (code) => "abc"[Number(code)]).join("");
      found.push(`${letters(inputs.get("tokens")!.data)}>${letters(target!.data)} ${group}`);
    }
    expect(found).toEqual(["ab>bc a.txt 0", "ca>ab a.txt 0", "ca>ab a.txt 1", "cb>ba b.txt 0"]);
  });

  it("overlaps, skips and stops as told", async () => {
    expect((await open({ stride: 1 })).length).toBe(7 + 1);
    expect((await open({ stride: 1, offset: 6, limit: 9 })).length).toBe(2);
    expect((await (await open({ stride: 1, offset: 7 })).read(0)).id).toBe("b.txt 0 @0");
  });

  it("reads the Brown corpus by document", async () => {
    const dataset = await openDataset({ reader: "text", corpus: "brown", split: "selection", limit: 3 }, folder);
    expect(dataset.length).toBe(3);
    expect((await dataset.read(0)).group).toMatch(/^c[a-r]\d\d$/);
  });

  it("has portions that share no document and leave none out", async () => {
    const groups = async (portion: readonly [number, number]): Promise<string[]> => {
      const dataset = await openDataset({ reader: "text", corpus: "brown", portion, length: 1000 }, folder);
      const found = new Set<string>();
      for (let index = 0; index < dataset.length; index++) found.add((await dataset.read(index)).group);
      return [...found];
    };
    const [most, few] = [await groups([0, 0.9]), await groups([0.9, 1])];
    expect(most.length + few.length).toBe(500);
    expect(new Set([...most, ...few]).size).toBe(500);
    expect(few.length).toBe(50);
  });

  it("leaves what only warms up uncounted", async () => {
    const { target } = await (await open({ length: 3, warmUp: 2 })).read(0);
    expect(target).toMatchObject({ data: BigInt64Array.of(-1n, -1n, 0n) });
    await expect(open({ length: 2, warmUp: 2 })).rejects.toMatchObject({ code: "usage/data-option" });
    await expect(open({ portion: [0.5, 0.5] })).rejects.toMatchObject({ code: "usage/data-option" });
  });

  it("gives a model that works a character a step each window as a sequence", async () => {
    const dataset = await open({ document: 5, position: "place", length: 2 });
    expect(dataset.length).toBe(8);
    expect(dataset.sequences?.[1]).toEqual({ name: "a.txt 0 @2", start: 2, length: 2 });
    const [first, second] = [await dataset.read(2), await dataset.read(3)];
    expect([...second.inputs].map(([name, { shape, data }]) => [name, shape, data])).toEqual([
      ["tokens", [1, 1], BigInt64Array.of(0n)],
      ["place", [1], BigInt64Array.of(1n)],
    ]);
    expect(second).toMatchObject({ sequence: "a.txt 0 @2", group: "a.txt 0", target: { data: BigInt64Array.of(1n) } });
    // The same characters in the same places of another window are other samples where the windows differ.
    expect(new Set([first.hash, second.hash, (await dataset.read(0)).hash]).size).toBe(3);
    expect((await dataset.read(2)).hash).toBe(first.hash);
    expect(dataset.describe().inputs.map(({ shape }) => shape)).toEqual([[1, 1], [1]]);
  });

  it.each([
    [{ files: ["none.txt"] }, "usage/missing-data"],
    [{ alphabet: "aa" }, "usage/data-option"],
    [{ corpus: "brown" }, "usage/data-option"],
    [{ length: 50 }, "usage/empty-data"],
  ])("refuses %j", async (options, code) => {
    await expect(open(options)).rejects.toMatchObject({ code });
  });
});
