import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { headOf, readLedger, takeLook } from "../../src/certify/ledger.ts";
import { alphaOfLook } from "../../src/evidence/statistics/spending.ts";

const folder = mkdtempSync(join(tmpdir(), "ledger-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${files++}.jsonl`);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const hashes = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `sample ${from + at}`);
const { privateKey } = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519").privateKey;

describe("looks at certification data", () => {
  it("count by the data, not by the artifact, and the same artifact again costs nothing", async () => {
    const path = fresh();
    const look = (artifact: string, data: string, samples: string[]) =>
      takeLook(path, { artifact: digest(artifact), data: digest(data), hashes: samples }, privateKey);
    expect(await look("a", "d", hashes(0, 500))).toMatchObject({ look: 1, alpha: alphaOfLook(1) });
    const head = headOf(path);
    expect(await look("a", "d", hashes(0, 500))).toMatchObject({ look: 1 });
    expect(headOf(path)).toBe(head);
    expect(await look("b", "d", hashes(0, 500))).toMatchObject({ look: 2, alpha: alphaOfLook(2), previous: head });
    expect(await look("b", "e", hashes(1000, 1500))).toMatchObject({ look: 1 });
    // Leaving samples out, or putting some in, does not make other data of it.
    expect(await look("c", "f", hashes(0, 100))).toMatchObject({ look: 3 });
    expect(await look("c", "0", hashes(400, 900))).toMatchObject({ look: 3 });
    expect(readLedger(path, privateKey)).toHaveLength(5);
  });

  it("of several processes at once are all written down", async () => {
    const path = fresh();
    const all = ["a", "b", "c", "d"].map((artifact) =>
      takeLook(path, { artifact: digest(artifact), data: digest("1"), hashes: hashes(0, 10) }),
    );
    const looks = (await Promise.all(all)).map(({ look }) => look);
    expect(looks.sort()).toEqual([1, 2, 3, 4]);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("survive a certification that was killed while it wrote", async () => {
    const path = fresh();
    writeFileSync(`${path}.lock`, "999999999");
    expect(await takeLook(path, { artifact: digest("a"), data: digest("1"), hashes: hashes(0, 10) })).toMatchObject({
      look: 1,
    });
  });

  it.each<[string, (lines: string[]) => string[], RegExp]>([
    ["a line left out", ([first, , third]) => [first, third], /line 2/],
    ["the first line left out", (lines) => lines.slice(1), /line 1/],
    ["lines exchanged", ([first, second, third]) => [second, first, third], /line 1/],
    ["a changed number", ([first, ...rest]) => [first.replace('"look":1', '"look":2'), ...rest], /line [12]/],
    ["what cannot be read", (lines) => ["{}", ...lines], /line 1/],
    [
      "a signature taken off",
      ([first, ...rest]) => [first.replace(/"bundle":\{.*\},"look"/, '"look"'), ...rest],
      /line 1/,
    ],
  ])("are not believed after %s", async (_, change, where) => {
    const path = fresh();
    for (const artifact of ["a", "b", "c"])
      await takeLook(path, { artifact: digest(artifact), data: digest("1"), hashes: hashes(0, 9) }, privateKey);
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(readLedger(path, privateKey)).toHaveLength(3);
    expect(() => readLedger(path, stranger)).toThrow(/not the certifier's/);
    writeFileSync(path, `${change(lines).join("\n")}\n`);
    const attempt = () => readLedger(path, privateKey);
    expect(attempt).toThrow(expect.objectContaining({ code: "trust/ledger", where: expect.stringMatching(where) }));
  });
});
