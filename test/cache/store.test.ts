import { mkdtempSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listEntries, prune } from "../../src/cache/entries.ts";
import { cacheFolder } from "../../src/cache/folder.ts";
import { type CacheOptions, openCache } from "../../src/cache/store.ts";

const fresh = () => mkdtempSync(join(tmpdir(), "cache-"));

async function value(folder: string | undefined, depends: object, options: CacheOptions = {}, made: unknown = "made") {
  return await openCache(folder, options).through("passes", depends, () => made);
}

describe("the cache of stages", () => {
  test("runs a stage once for the same content, whatever the order of its keys", async () => {
    const folder = fresh();
    const content = { a: Float32Array.of(1.5, Number.NaN, -0), b: new Map([["x", 3n]]), c: Uint8Array.of(1, 2, 3) };
    expect(await value(folder, { a: 1, b: 2 }, {}, content)).toEqual({ value: content, cached: false });
    expect(await value(folder, { b: 2, a: 1 }, {}, "other")).toEqual({ value: content, cached: true });
    expect(await value(folder, { a: 1, b: 3 }, {}, "other")).toEqual({ value: "other", cached: false });
  });

  test("keeps a stage that gives nothing, and keeps nothing of one that fails", async () => {
    const folder = fresh();
    await value(folder, { a: 1 }, {}, null);
    expect(await value(folder, { a: 1 })).toEqual({ value: null, cached: true });
    const failing = openCache(folder).through("seal", {}, () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(listEntries(folder).map(({ stage }) => stage)).toEqual(["passes"]);
  });

  test("without a folder every stage runs", async () => {
    await value(undefined, {});
    expect(await value(undefined, {})).toEqual({ value: "made", cached: false });
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["a flipped bit", (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes[bytes.length - 1] ^ 4)])],
    ["the end cut off", (bytes) => bytes.subarray(0, bytes.length - 1)],
    ["the start alone", (bytes) => bytes.subarray(0, 10)],
    ["nothing", () => Buffer.alloc(0)],
    ["more at the end", (bytes) => Buffer.concat([bytes, Buffer.from("x")])],
  ])("an entry with %s is made again, with a warning", async (_, change) => {
    const folder = fresh();
    await value(folder, { a: 1 });
    const [{ file }] = listEntries(folder);
    writeFileSync(join(folder, file), change(readFileSync(join(folder, file))));
    const warnings: string[] = [];
    expect(await value(folder, { a: 1 }, { warn: (text) => warnings.push(text) }, "again")).toEqual({
      value: "again",
      cached: false,
    });
    expect(warnings).toEqual([expect.stringMatching(/not as it was written/)]);
    expect(await value(folder, { a: 1 })).toEqual({ value: "again", cached: true });
  });

  test("an entry under another entry's name is not believed", async () => {
    const folder = fresh();
    await value(folder, { a: 1 }, {}, "one");
    const [one] = listEntries(folder);
    await value(folder, { a: 2 }, {}, "two");
    const two = listEntries(folder).find(({ file }) => file !== one.file);
    renameSync(join(folder, one.file), join(folder, two?.file ?? ""));
    expect(await value(folder, { a: 2 }, {}, "two again")).toEqual({ value: "two again", cached: false });
  });

  test("who does not know the secret cannot make entries that are believed", async () => {
    const folder = fresh();
    const mine = { secret: Buffer.from("mine") };
    await value(folder, { a: 1 }, {}, "forged");
    const [forged] = listEntries(folder);
    expect(await value(folder, { a: 1 }, mine, "true")).toEqual({ value: "true", cached: false });
    expect(await value(folder, { a: 1 }, mine)).toEqual({ value: "true", cached: true });
    const own = listEntries(folder).find(({ file }) => file !== forged.file);
    renameSync(join(folder, forged.file), join(folder, own?.file ?? ""));
    expect(await value(folder, { a: 1 }, mine, "true")).toEqual({ value: "true", cached: false });
    expect(await value(folder, { a: 1 }, mine)).toEqual({ value: "true", cached: true });
  });

  test("is bounded: what was used least recently goes first, and other files stay", async () => {
    const folder = fresh();
    writeFileSync(join(folder, "notes.txt"), "mine");
    for (let index = 0; index < 4; index++) {
      await value(folder, { index }, {}, new Uint8Array(1000));
      const [newest] = listEntries(folder);
      utimesSync(join(folder, newest.file), 1000 + index, 1000 + index);
    }
    const size = listEntries(folder)[0].bytes;
    // Reading the oldest makes it the newest.
    expect(await value(folder, { index: 0 })).toMatchObject({ cached: true });
    expect(prune(folder, { maxBytes: 2 * size })).toHaveLength(2);
    expect(await value(folder, { index: 0 })).toMatchObject({ cached: true });
    expect(await value(folder, { index: 3 })).toMatchObject({ cached: true });
    await value(folder, { index: 5 }, { maxBytes: size }, new Uint8Array(1000));
    expect(listEntries(folder)).toHaveLength(1);
    expect(prune(folder, { before: Date.now() + 60_000 })).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
  });

  test("what a killed build left half-written goes", () => {
    const folder = fresh();
    writeFileSync(join(folder, `.passes-${"0".repeat(64)}.stage.${2 ** 22 + 7}.tmp`), "half");
    prune(folder, {});
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a folder that cannot be made is a warning, and the stage's value is there", async () => {
    const file = join(fresh(), "file");
    writeFileSync(file, "");
    const warnings: string[] = [];
    const found = await value(join(file, "below"), {}, { warn: (text) => warnings.push(text) });
    expect(found).toEqual({ value: "made", cached: false });
    expect(warnings).toEqual([expect.stringMatching(/nothing is kept/)]);
  });

  test.each([
    [{ OPTIMUS_CACHE: "/a/b" }, "/a/b"],
    [{ OPTIMUS_CACHE: "off" }, undefined],
    [{ XDG_CACHE_HOME: "/x" }, "/x/optimus-compile"],
  ])("is where %j says", (env, folder) => {
    expect(cacheFolder(env)).toBe(folder);
  });
});
