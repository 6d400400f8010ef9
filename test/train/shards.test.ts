import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { elementCount, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { train } from "../../src/train/loop.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";
import { normOf } from "../../src/train/optimizer.ts";
import type { OptimizerSpec } from "../../src/train/rules.ts";
import { openShards } from "../../src/train/shards.ts";
import { initialWeights, openStep, type StepResult } from "../../src/train/step.ts";

const random = seededRandom("shards");
const numbers = (shape: readonly number[]) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
  );

/** With y beside x turned round, so that the batch is its second axis. */
const network = (batch: number, norm: boolean): string => `
  input x: float32[${batch}, 4]
  input y: float32[3, ${batch}]
  const w: float32[4, 3] = random(1)
  const g: float32[3] = random(2)
  const b: float32[3] = random(3)
  const m: float32[3] = zeros
  const s: float32[3] = random(5)
  h = MatMul(x, w)
  n = ${norm ? "BatchNormalization(h, g, b, m, s)" : "Mul(h, g)"}
  r = Tanh(n)
  t = Transpose(y) perm=[1, 0]
  off = Sub(r, t)
  square = Mul(off, off)
  loss = ReduceMean(square) keepdims=0
  return loss
`;
const BATCH = new Map([
  ["x", numbers([12, 4])],
  ["y", numbers([3, 12])],
]);

function prepared(batch: number, norm: boolean) {
  const { graph, statistics } = trainingMode(parse(network(batch, norm)));
  const parameters = parametersOf(graph);
  const weights = initialWeights(graph, [...parameters, ...statistics.map(({ name }) => name)]);
  return { graph, weights, options: { loss: "loss", parameters, statistics } };
}

const flat = (result: StepResult): number[] => [
  result.loss,
  result.norm,
  ...[...result.gradients.values()].flatMap((each) => [...each]),
  ...[...result.statistics.values()].flatMap((each) => [...numbersOf(each)].map(Number)),
];

async function ran(shards: number, workers: number, norm: boolean, shareFrom = 0): Promise<number[]> {
  const { graph, weights, options } = prepared(12 / shards, norm);
  const step = await openShards(graph, { ...options, shards, workers, shareFrom });
  const first = flat(await step.run(BATCH, weights));
  // Weights that changed since reach the workers, too.
  for (const { data } of weights.values()) (data as Float32Array)[0] += 0.125;
  const second = flat(await step.run(BATCH, weights));
  await step.release();
  return [...first, ...second];
}

describe("a step in parts", () => {
  it("has the whole batch's loss and gradients", async () => {
    const { graph, weights, options } = prepared(12, false);
    const whole = await openStep(graph, options);
    const wanted = flat(await whole.run(BATCH, weights));
    await whole.release();
    const found = await ran(4, 1, false);
    expect(found.slice(0, wanted.length)).toEqual(wanted.map((each) => expect.closeTo(each, 6)));
    expect(found.slice(wanted.length)).not.toEqual(found.slice(0, wanted.length));
  });

  it("gives the same bits for any number of workers", async () => {
    const one = await ran(4, 1, true);
    for (const workers of [2, 3, 9]) expect(await ran(4, workers, true)).toEqual(one);
    expect(await ran(4, 2, true, 100)).toEqual(one);
  });

  it("takes inputs that are the same for all parts, and lie in one piece of memory", async () => {
    const graph = parse(`
      input x: float32[6, 3]
      input up: float32[3]
      input down: float32[3]
      const w: float32[3] = random(1)
      h = Mul(x, w)
      higher = Add(h, up)
      lower = Sub(higher, down)
      square = Mul(lower, lower)
      loss = ReduceMean(square) keepdims=0
      return loss
    `);
    const both = Float32Array.of(1, 2, 3, 4, 5, 6);
    const half = (from: number): Tensor => ({ dtype: "float32", shape: [3], data: both.subarray(from, from + 3) });
    const batch = new Map([
      ["x", numbers([12, 3])],
      ["up", half(0)],
      ["down", half(3)],
    ] as const);
    const found: number[][] = [];
    for (const workers of [1, 2]) {
      const step = await openShards(graph, { loss: "loss", parameters: ["w"], shards: 2, workers });
      const weights = initialWeights(graph, ["w"]);
      for (let turn = 0; turn < 2; turn++) found.push(flat(await step.run(batch, weights)));
      await step.release();
    }
    for (const each of found) expect(each).toEqual(found[0]);
    expect(both).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  });

  it("refuses batches that are no whole number of parts, and says what first is not finite", async () => {
    const { graph, weights, options } = prepared(5, false);
    const step = await openShards(graph, { ...options, shards: 2, workers: 2 });
    await step.run(new Map([...BATCH, ["x", numbers([10, 4])], ["y", numbers([3, 10])]] as const), weights);
    await expect(step.run(BATCH, weights)).rejects.toThrow(CompileError);
    const broken = numbers([10, 4]);
    (broken.data as Float32Array)[39] = Number.NaN;
    const batch = new Map([...BATCH, ["x", broken], ["y", numbers([3, 10])]] as const);
    expect(await step.firstNotFinite(batch, weights)).toBe('what "x" is fed');
    await step.release();
  });
});

const SPECS: readonly OptimizerSpec[] = [
  { kind: "sgd", nesterov: true, weightDecay: 0.01 },
  { kind: "adamw", weightDecay: 0.01 },
];

/** Twenty steps, stopped after `stop` and begun again from what a checkpoint holds. */
async function trained(spec: OptimizerSpec, workers: number, clip?: number, { stop = 0, shareFrom = 0 } = {}) {
  const { graph, weights, options } = prepared(3, true);
  let state = new Map<string, Float32Array>();
  const norms: (number | undefined)[] = [];
  for (const [from, steps] of [
    [0, stop],
    [stop, 20],
  ]) {
    const step = await openShards(graph, { ...options, shards: 4, workers, shareFrom });
    const optimizer = step.optimizer(spec);
    if (from > 0) optimizer.restore(state);
    const training = { step, optimizer, weights, from, steps, batch: () => BATCH, rate: () => 0.05 };
    for await (const { norm } of train({ ...training, ...(clip !== undefined && { clip }) })) norms.push(norm);
    state = new Map([...optimizer.state()].map(([name, array]) => [name, array.slice()]));
    for (const [name, tensor] of weights) weights.set(name, { ...tensor, data: Float32Array.from(numbersOf(tensor)) });
    await step.release();
  }
  return { weights: [...weights], state: [...state], norms };
}

describe("an optimizer in parts", () => {
  it.each(SPECS.flatMap((spec) => [[spec, undefined] as const, [spec, 0.05] as const]))(
    "moves weights to the same bits on any number of threads, and goes on from its state: %o, clip %s",
    async (spec, clip) => {
      const one = await trained(spec, 1, clip);
      if (clip !== undefined) expect(one.norms.every((norm) => norm !== undefined && norm > clip)).toBe(true);
      for (const workers of [2, 3]) expect(await trained(spec, workers, clip)).toEqual(one);
      for (const shareFrom of [0, 100]) expect(await trained(spec, 2, clip, { stop: 7, shareFrom })).toEqual(one);
    },
  );

  it.each([1, 2])("moves weights that have been replaced (%s workers)", async (workers) => {
    const { graph, weights, options } = prepared(6, false);
    const step = await openShards(graph, { ...options, shards: 2, workers, shareFrom: 0 });
    const { gradients, norm } = await step.run(BATCH, weights);
    expect(norm).toBe(normOf(gradients));
    for (const [name, { shape }] of weights) {
      weights.set(name, float32(shape, new Float32Array(elementCount(shape))));
    }
    await step.optimizer({ kind: "sgd" }).update(weights, gradients, 0.5);
    for (const [name, gradient] of gradients) {
      expect(numbersOf(weights.get(name) as Tensor)).toEqual([...gradient].map((each) => -each * 0.5));
    }
    await step.release();
  });

  it("moves by its step's gradients alone, and fails where a thread does", async () => {
    const { graph, weights, options } = prepared(6, false);
    const step = await openShards(graph, { ...options, shards: 2, workers: 2, shareFrom: 0 });
    const { gradients } = await step.run(BATCH, weights);
    const copied = new Map([...gradients].map(([name, gradient]) => [name, gradient.slice()]));
    const { update } = step.optimizer({ kind: "sgd" });
    await expect(async () => update(weights, copied, 0.1)).rejects.toThrow("bug");
    // What a thread is sent has lost its prototype: no pair of numbers there.
    const betas = Object.create({ [Symbol.iterator]: () => [0.9, 0.99].values() }) as [number, number];
    const failing = step.optimizer({ kind: "adamw", betas });
    await expect(async () => failing.update(weights, gradients, 0.1)).rejects.toThrow("not iterable");
    await step.release();
  });
});
