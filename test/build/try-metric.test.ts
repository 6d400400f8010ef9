import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { tryMetric } from "../../src/build/try-metric.ts";
import type { DataArray } from "../../src/data/dataset.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { parseRecipe } from "../../src/recipe.ts";

const folder = mkdtempSync(join(tmpdir(), "metric-"));
const image: DataArray = { dtype: "float32", shape: [4, 1, 28, 28], data: new Float32Array(4 * 784) };
const targets = (perSample: number): DataArray => ({
  dtype: "int64",
  shape: [4, perSample],
  data: new BigInt64Array(4 * perSample),
});
const save = (name: string, target?: DataArray) => {
  const arrays = new Map([["image", image]]);
  if (target) arrays.set("target", target);
  writeFileSync(join(folder, name), encodeNpz(arrays));
};
save("one.npz", targets(1));
save("three.npz", targets(3));
save("blind.npz");

const wanted = new Map([["image", { dtype: "float32", shape: [1, 1, 28, 28] }]]);
const attempt = (metric: string, calibration: string, certification: string) =>
  tryMetric(
    parseRecipe(
      [
        `model: ${resolve("fixtures/fashion-mnist/depthwise.onnx")}`,
        "inputs: { image: { shape: [1, 1, 28, 28] } }",
        `data: { calibration: { npz: ${calibration} }, certification: { npz: ${certification}, offset: 1 } }`,
        `metric: ${metric}`,
      ].join("\n"),
      join(folder, "r.yaml"),
    ),
    wanted,
  ).then(
    () => "fits",
    (error: unknown) => (error as { code: string }).code,
  );

test.each([
  ["accuracy", "one.npz", "one.npz", "fits"],
  ["accuracy", "three.npz", "three.npz", "usage/metric-target"],
  ["accuracy", "blind.npz", "blind.npz", "usage/metric-target"],
  ["agreement", "blind.npz", "blind.npz", "fits"],
  // Calibration needs no targets where the evidence comes from elsewhere.
  ["accuracy", "blind.npz", "one.npz", "fits"],
  ["accuracies", "blind.npz", "one.npz", "usage/unknown-metric"],
  ["./mine.ts", "blind.npz", "blind.npz", "fits"],
])("%s on %s, judged on %s: %s", async (metric, calibration, certification, expected) => {
  expect(await attempt(metric, calibration, certification)).toBe(expected);
});
