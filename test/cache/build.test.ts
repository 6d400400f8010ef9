import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { type Entry, listEntries } from "../../src/cache/entries.ts";
import { build, loadRecipe } from "../../src/index.ts";
import { root } from "../cli/command.ts";

/** The sources, as in this process: what the built command keeps is another program's. */
const main = join(root, "src/cli/main.ts");
const images = resolve("fixtures/fashion-mnist");
const folder = mkdtempSync(join(tmpdir(), "kept-"));
const split = (name: string, count: number) =>
  `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
const recipe = join(folder, "small.yaml");
writeFileSync(
  recipe,
  [
    `model: ${images}/depthwise.onnx`,
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 16)}, certification: ${split("t10k", 48)} }`,
    "quantize: { samples: 16 }",
    "jobs: 1",
  ].join("\n"),
);

let count = 0;
async function built(settings: readonly string[], cache?: string) {
  const out = join(folder, `out${count++}`);
  const warnings: string[] = [];
  const progress = { stage: () => undefined, detail: () => undefined, warn: (text: string) => warnings.push(text) };
  const loaded = { ...loadRecipe(recipe, { set: settings }), out };
  const { document, notes } = await build(loaded, { settings, progress, ...(cache && { cache }) });
  return { document, kept: notes.kept, warnings, bytes: readFileSync(document.artifact) };
}

const stagesOf = (entries: readonly Entry[]): string[] => entries.map(({ stage }) => stage).sort();

describe("a build with a cache", { timeout: 120_000 }, () => {
  test("gives the bytes of one without, runs what changed alone, and survives a broken cache", async () => {
    const cache = join(folder, "cache");
    const without = await built([]);
    const first = await built([], cache);
    const entries = listEntries(cache);
    expect(stagesOf(entries)).toEqual(["certify", "errors", "golden", "passes", "schedule"]);
    const second = await built([], cache);
    expect(
      listEntries(cache)
        .map(({ file }) => file)
        .sort(),
    ).toEqual(entries.map(({ file }) => file).sort());
    expect(first.kept).toEqual([]);
    expect(second.kept).toEqual(["passes", "schedule", "golden", "errors", "outcomes"]);
    expect(first.bytes.equals(without.bytes)).toBe(true);
    expect(second.bytes.equals(without.bytes)).toBe(true);

    // The gates are judged anew, and nothing else is.
    const strict = await built(["gates.maxDrop=0.9", "gates.minSamples=49"], cache);
    expect(strict.document.verdict).not.toBe(second.document.verdict);
    expect(strict.kept).toEqual(second.kept);
    expect(listEntries(cache)).toHaveLength(5);

    // Asked again with two NPUs, the schedule is the one for one NPU; so its outputs are known, and the record's outcomes.
    expect((await built(["npus=2"], cache)).kept).toEqual(["passes", "golden", "errors", "outcomes"]);

    // Fewer samples to judge by are another certification, of the same artifact.
    const fewer = await built(["data.certification.limit=40"], cache);
    expect(fewer.kept).toEqual(["passes", "schedule", "golden", "errors"]);
    expect(fewer.document.digest).toBe(second.document.digest);

    for (const { file } of listEntries(cache)) {
      const bytes = readFileSync(join(cache, file));
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(join(cache, file), bytes);
    }
    const repaired = await built([], cache);
    expect(repaired.kept).toEqual([]);
    expect(repaired.warnings.filter((warning) => /not as it was written/.test(warning))).toHaveLength(5);
    expect(repaired.bytes.equals(without.bytes)).toBe(true);
  });

  test("another option of a pass makes other stages", async () => {
    const cache = join(folder, "other");
    const two = await Promise.all([built([], cache), built([], cache)]);
    expect(two[0].bytes.equals(two[1].bytes)).toBe(true);
    expect(listEntries(cache)).toHaveLength(5);
    expect((await built(["quantize.samples=3"], cache)).kept).toEqual([]);
    // The killed build kept its passes; nothing of it is in the way.
    const [out, killed] = [join(folder, "killed"), join(folder, "killed-cache")];
    const child = spawn(process.execPath, [main, "build", recipe, "--out", out], {
      env: { ...process.env, OPTIMUS_CACHE: killed },
      stdio: "ignore",
    });
    const ended = once(child, "close");
    while (child.exitCode === null && !(existsSync(killed) && stagesOf(listEntries(killed)).includes("passes"))) {
      await new Promise((wake) => setTimeout(wake, 2));
    }
    child.kill("SIGKILL");
    await ended;
    const after = await built([], killed);
    expect(existsSync(join(out, "small.dopt"))).toBe(false);
    expect(after.kept).toContain("passes");
    expect(after.bytes.equals(two[0].bytes)).toBe(true);
    expect(readdirSync(killed).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
