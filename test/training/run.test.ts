import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { readModel } from "../../src/onnx/read.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { loadTraining, parseTraining, type Training } from "../../src/recipe/training.ts";
import { runTraining, type TrainingProgress } from "../../src/training/run.ts";
import { optimus } from "../cli/command.ts";

const root = resolve(import.meta.dirname, "../..");
const path = join(root, "recipes/train/fashion-mnist-quick.yaml");
const quick = loadTraining(path);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "train-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

/** The quick recipe with few samples; 8 steps of 2 epochs. */
const small: Training = {
  ...quick,
  data: {
    training: { ...quick.data.training, limit: 128 },
    validation: { ...(quick.data.validation ?? {}), limit: 20 } as Training["data"]["training"],
  },
  ...{ epochs: 2, batch: 32, checkpoint: 3, average: 0.5, augment: { crop: 2, flip: true, noise: 0.01 } },
};

const contents = (out: string): Buffer[] =>
  ["fashion-mnist-quick.onnx", "fashion-mnist-quick.jsonl"].map((name) => readFileSync(join(out, name)));

async function stoppedAfter(recipe: Training, out: string, done: number, jobs = 1): Promise<void> {
  const controller = new AbortController();
  const progress = (now: TrainingProgress): void => {
    if (now.done === done) controller.abort();
  };
  const running = runTraining(recipe, { out, resume: false, jobs, signal: controller.signal, progress });
  await expect(running).rejects.toThrow(/abort/);
}

describe("a training from a recipe", () => {
  it("writes the same bytes where it is stopped and resumed", async () => {
    const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
    const result = await runTraining(small, { out: whole, resume: false });
    expect(result).toMatchObject({ steps: 8, parameters: 18_826, metric: { name: "accuracy" } });
    await stoppedAfter(small, parts, 5);
    const begun: number[] = [];
    const resumed = await runTraining(small, { out: parts, resume: true, progress: (now) => begun.push(now.begun) });
    expect(begun[0]).toBe(5);
    expect(resumed.metric).toEqual(result.metric);
    expect(contents(parts)).toEqual(contents(whole));
    const lines = contents(whole)[1].toString().trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([0, 1, 2, 3, 3, 4, 5, 6, 7, 7]);
  });

  it("gives the model that it was given, with other weights", async () => {
    const { model } = await runTraining({ ...small, epochs: 1 }, { out: folder, resume: false });
    const [before, after] = [readModel(small.model ?? ""), readModel(model)];
    expect(after.nodes).toEqual(before.nodes);
    expect([...after.constants.keys()]).toEqual([...before.constants.keys()]);
    const shape = { inputs: new Map([["image", { shape: [1, 1, 28, 28] }]]) };
    expect(importOnnx(model, shape).constants).not.toEqual(importOnnx(small.model ?? "", shape).constants);
  });

  it("has weights apart that begin alike, and biases that begin with 0", async () => {
    const model = join(folder, "untrained.onnx");
    const untrained = readModel(small.model ?? "");
    const alike = [...untrained.constants].map(([name, tensor]): [string, Tensor] => {
      const { dtype, shape, data } = tensor;
      return [
        name,
        shape.length === 1 && dtype === "float32"
          ? { dtype, shape, data: new Float32Array(shape[0]).fill(1) }
          : { dtype, shape, data },
      ];
    });
    writeModel({ ...untrained, constants: new Map(alike) }, model);
    const result = await runTraining({ ...small, model, weights: "given", epochs: 1 }, { out: folder, resume: false });
    expect(result.parameters).toBe(18_826);
    const { constants } = readModel(result.model);
    const moved = [...constants]
      .filter(([, { shape }]) => shape.length === 1 && shape[0] > 10)
      .map(([, { data }]) => String(data));
    expect(new Set(moved).size).toBe(moved.length);
  });

  it("learns from a teacher what no label says", async () => {
    const { labels: _, ...training } = small.data.training as Record<string, unknown>;
    const teacher = join(root, "fixtures/fashion-mnist/teacher.onnx");
    const losses: Training["losses"] = [
      { kind: "distill", scores: "logits", teacher: "logits", temperature: 4, weight: 1 },
    ];
    const seen: number[] = [];
    const recipe = { ...small, teacher, losses, data: { training } } as Training;
    const rate = { ...small.rate, peak: 0.01 };
    const optimizer: Training["optimizer"] = { kind: "adamw", betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 };
    await runTraining(
      { ...recipe, rate, optimizer, epochs: 5 },
      { out: folder, resume: false, progress: ({ loss }) => seen.push(loss) },
    );
    expect(Math.min(...seen.slice(-4))).toBeLessThan(0.75 * seen[0]);
  });

  it("gives the same bytes for any number of threads that share out its shards", async () => {
    const recipe: Training = { ...small, epochs: 1, shards: 4, clip: 0.5 };
    const [one, three, both] = [join(folder, "one"), join(folder, "three"), join(folder, "both")];
    await runTraining(recipe, { out: one, resume: false });
    await runTraining(recipe, { out: three, resume: false, jobs: 3 });
    await stoppedAfter(recipe, both, 2, 2);
    await runTraining(recipe, { out: both, resume: true });
    const last = (out: string) => readFileSync(join(out, `${recipe.name}.checkpoints/step-000000004.checkpoint`));
    for (const out of [three, both]) expect([...contents(out), last(out)]).toEqual([...contents(one), last(one)]);
  });

  it("is not resumed with another recipe", async () => {
    await stoppedAfter(small, folder, 2);
    await expect(runTraining({ ...small, seed: 5 }, { out: folder, resume: true })).rejects.toMatchObject({
      code: "usage/other-training",
    });
  });
});

describe("a training's recipe", () => {
  const text = readFileSync(path, "utf8");

  it.each([
    ["batch: 64", "batches: 64", "usage/unknown-key"],
    ["batch: 64", "batch: 0", "usage/recipe"],
    ["batch: 64", "batch: 64\nshards: 6", "usage/recipe"],
    ["kind: labels", "kind: distill, teacher: logits", "usage/recipe"],
    ["epochs: 6", "", "usage/recipe"],
    ["kind: labels", "kind: guesses", "usage/recipe"],
  ])("with %j instead as %j is refused", (from, to, code) => {
    expect(() => parseTraining(text.replace(from, to), path)).toThrow(expect.objectContaining({ code }));
  });

  it("that ships can be read", () => {
    expect(loadTraining(join(root, "recipes/train/fashion-mnist.yaml"))).toMatchObject({ epochs: 10, batch: 128 });
  });
});

describe("optimus-compile train", () => {
  it("says where a recipe is wrong", async () => {
    const { code, stderr } = await optimus(["train", "recipes/quickstart.yaml"]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/error\[usage\/.*\n.* at recipes\/quickstart\.yaml:/)]);
  });
});
