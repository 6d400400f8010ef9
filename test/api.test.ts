import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { STAGES } from "../src/build.ts";
import { build, loadRecipe } from "../src/index.ts";

const images = resolve("fixtures/fashion-mnist");
const folder = mkdtempSync(join(tmpdir(), "api-"));
const split = (name: string, count: number) =>
  `{ reader: idx, images: ${images}/${name}-images-idx3-ubyte.gz, labels: ${images}/${name}-labels-idx1-ubyte.gz, limit: ${count} }`;
const path = join(folder, "small.yaml");
writeFileSync(
  path,
  [
    `model: ${images}/depthwise.onnx`,
    "inputs: { image: { shape: [1, 1, 28, 28] } }",
    `data: { calibration: ${split("train-2048", 16)}, certification: ${split("t10k", 64)} }`,
    "quantize: { samples: 16 }",
    "jobs: 1",
  ].join("\n"),
);

describe("the Node API", { timeout: 60_000 }, () => {
  test.each(STAGES)("a build that is stopped when %s begins goes no further and leaves nothing", async (stage) => {
    const out = join(folder, `out-${stage}`);
    const controller = new AbortController();
    const reason = new Error(`enough at ${stage}`);
    const seen: string[] = [];
    const progress = {
      stage(name: string) {
        seen.push(name);
        if (name === stage) controller.abort(reason);
      },
      detail: () => undefined,
      warn: () => undefined,
    };
    const recipe = { ...loadRecipe(path), out };
    await expect(build(recipe, { signal: controller.signal, progress })).rejects.toBe(reason);
    expect(seen.at(-1)).toBe(stage);
    expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
  });

  test.each([
    ["in the middle of a pass", /^quantize\/int8/],
    ["while the certifier works", /of 64 samples/],
  ])("a build that is stopped %s goes no further and leaves nothing", async (_, when) => {
    const out = join(folder, `out-${when.source.length}`);
    const controller = new AbortController();
    const reason = new Error("enough");
    let after = 0;
    const progress = {
      stage: () => undefined,
      detail(text: string) {
        if (controller.signal.aborted && !when.test(text)) after++;
        if (when.test(text)) controller.abort(reason);
      },
      warn: () => undefined,
    };
    const recipe = { ...loadRecipe(path), out };
    await expect(build(recipe, { signal: controller.signal, progress })).rejects.toBe(reason);
    expect(after).toBe(0);
    expect(existsSync(out) ? readdirSync(out).filter((name) => !name.includes("ledger")) : []).toEqual([]);
  });

  test("the guide's example runs as it stands there", async () => {
    const [, code] = /```ts run\n([\s\S]*?)```/.exec(readFileSync("docs/api.md", "utf8")) ?? [];
    const entry = pathToFileURL(resolve("src/index.ts")).href;
    const script = join(folder, "example.mts");
    writeFileSync(
      script,
      (code ?? "")
        .replace('"optimus-compile"', JSON.stringify(entry))
        .replace('"recipes/quickstart.yaml"', JSON.stringify(path))
        .replace('"out"', JSON.stringify(join(folder, "example"))),
    );
    const { verdict } = (await import(pathToFileURL(script).href)) as { verdict: string };
    expect(["pass", "fail", "incomplete"]).toContain(verdict);
    expect(readdirSync(join(folder, "example"))).toContain("small.dopt");
  });
});
