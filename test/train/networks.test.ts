/** Whole networks against what PyTorch computed (bench/peers/train/gradients.py), under ONNX Runtime. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { DType, Graph, Tensor } from "../../src/ir/graph.ts";
import { elementCount } from "../../src/ir/graph.ts";
import { numbersOf, viewBytes } from "../../src/ir/tensor.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { withLosses } from "../../src/train/losses.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";
import { initialWeights, openStep } from "../../src/train/step.ts";

const FOLDER = new URL("../../fixtures/gradients/", import.meta.url);
const BAR = 1e-4;

interface Stored {
  readonly loss: number;
  readonly tensors: readonly { name: string; dtype: DType; shape: number[]; offset: number }[];
}

function stored(name: string): { loss: number; tensors: Map<string, Tensor> } {
  const { loss, tensors } = JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")) as Stored;
  const bytes = readFileSync(new URL(`${name}.bin`, FOLDER));
  const read = tensors.map(({ name: each, dtype, shape, offset }): [string, Tensor] => {
    const count = elementCount(shape);
    const size = dtype === "int64" ? 8 : 4;
    return [
      each,
      { dtype, shape, data: viewBytes(dtype, count, bytes.subarray(offset, offset + count * size).slice()) },
    ];
  });
  return { loss, tensors: new Map(read) };
}

/** |a − b| over |b|, as vectors. */
function distance(a: ArrayLike<number>, b: readonly number[]): number {
  let [off, length] = [0, 0];
  b.forEach((value, at) => {
    off += (a[at] - value) ** 2;
    length += value ** 2;
  });
  return Math.sqrt(off / Math.max(length, 1e-16));
}

function networkOf(name: string): { graph: Graph; loss: string } {
  const path = new URL(`${name}.onnx`, FOLDER).pathname;
  return withLosses(importOnnx(path), [{ kind: "labels", scores: "scores", labels: "labels" }]);
}

describe("gradients against PyTorch's", () => {
  test.each([
    ...["resnet18", "mobilenet-v2", "vit-block", "gpt-block", "lstm"].map((name) => [name, false] as const),
    ...["resnet18", "vit-block", "gpt-block"].map((name) => [name, true] as const),
  ])("%s, recomputed: %s", async (name, recompute) => {
    const { loss, tensors } = stored(name);
    const network = networkOf(name);
    const { graph, statistics } = trainingMode(network.graph);
    const wanted = [...tensors.keys()].filter((each) => each.startsWith("gradient/"));
    const parameters = wanted.map((each) => each.slice("gradient/".length));
    const step = await openStep(graph, { ...{ loss: network.loss, parameters, statistics }, recompute });
    expect(step.graph.nodes.some(({ op }) => op === "Size")).toBe(recompute);
    const weights = initialWeights(graph, [...parameters, ...statistics.map((each) => each.name)]);
    const found = await step.run(tensors, weights);
    await step.release();
    expect(Math.abs(found.loss - loss)).toBeLessThan(1e-5);
    const of = (parameter: string): number[] => numbersOf(tensors.get(`gradient/${parameter}`) as Tensor);
    const ours = parameters.flatMap((parameter) => [...(found.gradients.get(parameter) ?? [])]);
    const theirs = parameters.flatMap(of);
    expect(distance(ours, theirs)).toBeLessThan(BAR);
    // Some gradients are zero in exact arithmetic (a shift before another normalization): those are compared with all.
    const least = 1e-3 * Math.hypot(...theirs);
    for (const parameter of parameters) {
      const length = Math.hypot(...of(parameter));
      const off = distance(found.gradients.get(parameter) ?? [], of(parameter)) * length;
      expect(off / Math.max(length, least), parameter).toBeLessThan(10 * BAR);
    }
    expect(parametersOf(graph).sort()).toEqual(parameters.sort());
  });
});
