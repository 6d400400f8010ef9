import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDataset } from "../../../src/data/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "jsonl-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const inputs = { x: { dtype: "int64", shape: [1, 2] } };
async function open(text: string) {
  writeFileSync(join(folder, "x.jsonl"), text);
  return openDataset({ reader: "jsonl", path: "x.jsonl", inputs }, folder);
}

describe("jsonl", () => {
  it("reads a sample a line, blank lines left out", async () => {
    const text = '{"x": [[1, 2]], "target": 3}\n\n{"x": [4, 5], "target": "é", "group": 7, "slices": {"k": true}}';
    const dataset = await open(text);
    expect(dataset.length).toBe(2);
    expect((await dataset.read(0)).target).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(3n) });
    const { inputs: found, target, group, slices } = await dataset.read(1);
    expect(found.get("x")).toEqual({ dtype: "int64", shape: [1, 2], data: BigInt64Array.of(4n, 5n) });
    expect([target, group, [...slices]]).toEqual(["é", "7", [["k", "true"]]]);
  });

  it.each([
    ["no JSON", "{x", "usage/bad-json"],
    ["a list", "[1, 2]", "usage/bad-json"],
    ["too few numbers", '{"x": [1]}', "usage/data-shape"],
    ["text for numbers", '{"x": ["a", "b"]}', "usage/data-shape"],
    ["a missing input", '{"y": [1, 2]}', "usage/data-shape"],
    ["fractions for whole numbers", '{"x": [1.5, 2]}', "usage/data-shape"],
  ])("refuses %s, naming the sample", async (_, text, code) => {
    const dataset = await open(`{"x": [1, 2]}\n${text}\n`);
    await expect(dataset.read(1)).rejects.toMatchObject({ code, where: "x.jsonl, sample 1" });
  });

  it("refuses an empty file", async () => {
    await expect(open("\n\n")).rejects.toMatchObject({ code: "usage/empty-data" });
  });
});
