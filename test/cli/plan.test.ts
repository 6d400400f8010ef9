import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { listEntries } from "../../src/cache/entries.ts";
import { openCache } from "../../src/cache/store.ts";
import { optimus } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "plan-"));
const images = resolve("fixtures/fashion-mnist");
const split = (name: string, count: number) =>
  `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
const recipe = join(folder, "small.yaml");
const lines = [
  `model: ${images}/depthwise.onnx`,
  "inputs: { image: { shape: [1, 1, 28, 28] } }",
  `data: { calibration: ${split("train-2048", 16)}, certification: ${split("t10k", 48)} }`,
];
writeFileSync(recipe, lines.join("\n"));

describe("before a build", { timeout: 60_000 }, () => {
  test("--dry-run tells the plan and writes nothing", async () => {
    const cache = join(folder, "cache");
    const { code, stdout } = await optimus(["build", recipe, "--dry-run", "--json"], {
      cwd: folder,
      env: { OPTIMUS_CACHE: cache },
    });
    expect(code).toBe(0);
    const plan = JSON.parse(stdout) as { passes: string[]; estimate: { seconds: number; bytes: number } };
    expect(plan).toMatchObject({
      schema: "optimus-compile/plan@1",
      samples: { calibration: 16, selection: 0, certification: 48 },
      artifact: join(folder, "out/small.dopt"),
    });
    expect(plan.passes).toContain("quantize/int8");
    expect(plan.estimate.seconds).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(["small.yaml"]);
    const text = await optimus(["build", recipe, "--dry-run"], { cwd: folder });
    expect(text.stdout).toMatch(/certify +48 samples[\s\S]*estimate: [\s\S]*Nothing was written/);
  });

  test("--dry-run fails where the build would", async () => {
    const { code, stderr } = await optimus(["build", recipe, "--dry-run", "--set", "passes=[simplfy/no-op]"]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/unknown-pass[\s\S]*did you mean "simplify\/no-op"/)]);
  });

  test("doctor finds a healthy machine and a recipe's mistake", async () => {
    const good = await optimus(["doctor", recipe, "--json", "--out", join(folder, "new/out")]);
    expect(JSON.parse(good.stdout)).toMatchObject({ schema: "optimus-compile/doctor@1", healthy: true });
    expect([good.code, existsSync(join(folder, "new"))]).toEqual([0, false]);
    const wrong = join(folder, "wrong.yaml");
    writeFileSync(wrong, lines.join("\n").replace("image:", "picture:"));
    const bad = await optimus(["doctor", wrong, "--out", join(folder, "out")]);
    expect([bad.code, bad.stdout]).toEqual([2, expect.stringMatching(/✗ recipe: [\s\S]*help: /)]);
    expect(bad.stdout).toMatch(/✓ ONNX Runtime: [\d.]+ loads/);
  });

  test("cache list and prune tell and remove what is kept", async () => {
    const cache = join(folder, "kept");
    openCache(cache).put("passes", { a: 1 }, "x");
    openCache(cache).put("golden", { a: 1 }, "y");
    const env = { OPTIMUS_CACHE: cache };
    const list = await optimus(["cache", "list"], { env });
    expect(list.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect((await optimus(["cache", "prune", "--older-than", "1"], { env })).stderr).toMatch(/removed 0 entries/);
    const pruned = await optimus(["cache", "prune", "--json"], { env });
    expect(JSON.parse(pruned.stdout)).toMatchObject({ removed: 2 });
    expect(listEntries(cache)).toEqual([]);
    expect(JSON.parse((await optimus(["cache", "list", "--json"])).stdout)).toMatchObject({ entries: [] });
  });
});
