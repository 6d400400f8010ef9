import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it, test } from "vitest";
import { openDataset } from "../../../src/data/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "labelled-text-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const lines = [
  { text: "abc?a", label: "good" },
  { text: "cab", label: "bad", group: 7 },
  { text: "abcab", label: "good" },
  { text: "", label: "bad" },
].map((line) => JSON.stringify(line));
writeFileSync(join(folder, "plain.jsonl"), `${lines.join("\n")}\n`);
writeFileSync(join(folder, "zipped.jsonl.gz"), gzipSync(lines.join("\n")));

const open = (options: object) =>
  openDataset(
    { reader: "labelled-text", path: "plain.jsonl", labels: ["good", "bad"], alphabet: "abc", length: 4, ...options },
    folder,
  );

async function read(options: object): Promise<string[]> {
  const dataset = await open(options);
  const found: string[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const { inputs, target, slices } = await dataset.read(index);
    const { shape, data } = inputs.get("tokens")!;
    expect(shape).toEqual([1, data.length]);
    found.push(`${data.join("")} ${(target as { data: BigInt64Array }).data} ${slices.get("class")}`);
  }
  return found;
}

describe("labelled-text", () => {
  const whole = ["1231 0 good", "3120 1 bad", "1231 0 good", "0000 1 bad"];

  test.each(["plain.jsonl", "zipped.jsonl.gz"])(
    "numbers the characters of %s and ends texts in zeros",
    async (path) => {
      expect(await read({ path })).toEqual(whole);
      expect(await read({ path, offset: 1, limit: 1 })).toEqual([whole[1]]);
    },
  );

  it("makes one group of texts that read the same, and leaves groups whole", async () => {
    const dataset = await open({});
    const groups = await Promise.all([0, 1, 2, 3].map(async (index) => (await dataset.read(index)).group));
    expect(groups[2]).toBe(groups[0]);
    expect(groups[1]).toBe("7");
  });

  it("puts no group on both sides of a portion, and leaves none out", async () => {
    const letters = (number: number): string => [...number.toString(3)].map((digit) => "abc"[Number(digit)]).join("");
    const many = Array.from({ length: 40 }, (_, at) => JSON.stringify({ text: letters(at >> 1), label: "good" }));
    writeFileSync(join(folder, "many.jsonl"), many.join("\n"));
    const part = (portion: readonly number[]) => read({ path: "many.jsonl", portion });
    const [few, others] = [await part([0, 0.5]), await part([0.5, 1])];
    expect(few.filter((text) => others.includes(text))).toEqual([]);
    expect(few.length + others.length).toBe(40);
  });

  test.each([
    ['{"text": "a"}', /no JSON object of a labelled text.*label/s],
    ['{"text": "a", "label": "neither"}', /no class is called "neither"/],
    ['{"text": "a", "label": "good"', /no JSON object/],
  ])("refuses %s and says where", async (text, message) => {
    writeFileSync(join(folder, "wrong.jsonl"), `${lines[0]}\n${text}\n`);
    await expect(open({ path: "wrong.jsonl" })).rejects.toMatchObject({
      code: "usage/bad-json",
      where: "wrong.jsonl, sample 1",
      message: expect.stringMatching(message),
    });
  });

  it("refuses an alphabet with a character twice", async () => {
    await expect(open({ alphabet: "aba" })).rejects.toMatchObject({ code: "usage/data-option" });
  });
});
