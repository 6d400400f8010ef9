import { describe, expect, it, test } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { makeOptimizer, moveAverage, normOf } from "../../src/train/optimizer.ts";
import type { OptimizerSpec } from "../../src/train/rules.ts";

/** Three steps on one weight of two axes and one of one; the gradient is the weight's own value times a factor. */
function run(spec: OptimizerSpec): number[] {
  const weights = new Map<string, Tensor>([
    ["w", float32([1, 2], [1, -2])],
    ["b", float32([1], [0.5])],
  ]);
  const optimizer = makeOptimizer(spec);
  for (const factor of [1, 0.5, 2]) {
    const gradients = new Map(
      [...weights].map(([name, { data }]) => [name, Float32Array.from(data as Float32Array, (x) => x * factor)]),
    );
    optimizer.update(weights, gradients, 0.1);
  }
  return [...weights.values()].flatMap(({ data }) => [...(data as Float32Array)]);
}

describe("optimizers", () => {
  // Stored from torch.optim (SGD, AdamW) of PyTorch 2.13 with the same numbers; no decay on the vector.
  test.each<[string, OptimizerSpec, number[]]>([
    ["SGD", { kind: "sgd", weightDecay: 0.05 }, [0.46791112, -0.93582225, 0.24525]],
    ["Nesterov", { kind: "sgd", nesterov: true, weightDecay: 0.05 }, [0.2735053, -0.5470106, 0.14928301]],
    ["AdamW", { kind: "adamw", weightDecay: 0.05 }, [0.70226449, -1.68734586, 0.21637222]],
    [
      "AdamW with other betas",
      { kind: "adamw", betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0 },
      [0.71592891, -1.71545184, 0.21769075],
    ],
  ])("%s steps as PyTorch's does", (_, spec, expected) => {
    expect(run(spec)).toEqual(expected.map((each) => expect.closeTo(each, 6)));
  });

  it("goes on from its state as if it had never stopped", () => {
    const spec: OptimizerSpec = { kind: "adamw", weightDecay: 0.1 };
    const gradient = (seed: number) => new Map([["w", Float32Array.of(seed, -seed * 0.3)]]);
    const start = (): Map<string, Tensor> => new Map([["w", float32([2, 1], [1, 2])]]);
    const [whole, stopped] = [start(), start()];
    const one = makeOptimizer(spec);
    for (const seed of [1, 2, 3]) one.update(whole, gradient(seed), 0.01);
    const before = makeOptimizer(spec);
    before.update(stopped, gradient(1), 0.01);
    const after = makeOptimizer(spec);
    after.restore(before.state());
    for (const seed of [2, 3]) after.update(stopped, gradient(seed), 0.01);
    expect(stopped).toEqual(whole);
    expect(after.state()).toEqual(one.state());
  });

  it.each<OptimizerSpec>([{ kind: "sgd" }, { kind: "adamw" }])("multiplies gradients by a factor: $kind", (spec) => {
    const moved = (gradient: number, factor?: number) => {
      const weights = new Map([["w", float32([2], [1, 2])]]);
      void makeOptimizer(spec).update(weights, new Map([["w", Float32Array.of(gradient, -gradient)]]), 0.1, factor);
      return weights;
    };
    expect(moved(4, 0.25)).toEqual(moved(1));
    expect(moved(4)).toEqual(moved(4, 1));
  });

  it("has the norm of all gradients together", () => {
    const gradients = new Map([
      ["a", Float32Array.of(3)],
      ["b", Float32Array.of(0, 4)],
    ]);
    expect(normOf(gradients)).toBe(5);
  });

  it("has a norm that is finite where every number is", () => {
    const largest = Float32Array.from({ length: 7 }, () => 3e38);
    expect(normOf(new Map([["w", largest]]))).toBeCloseTo(3e38 * Math.sqrt(7), -33);
    for (const [place, broken] of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].entries()) {
      expect(normOf(new Map([["w", largest.with(3 + place, broken)]]))).not.toSatisfy(Number.isFinite);
    }
  });

  it("averages weights", () => {
    const average = new Map<string, Tensor>();
    for (const value of [1, 2, 3]) moveAverage(average, new Map([["w", float32([1], [value])]]), 0.5);
    expect(average.get("w")?.data).toEqual(Float32Array.of(2.25));
  });
});
