import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";
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
  ...[...result.gradients.values()].flatMap((each) => [...each]),
  ...[...result.statistics.values()].flatMap((each) => [...numbersOf(each)].map(Number)),
];

async function ran(shards: number, workers: number, norm: boolean): Promise<number[]> {
  const { graph, weights, options } = prepared(12 / shards, norm);
  const step = await openShards(graph, { ...options, shards, workers });
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
  });

  it("refuses batches that are no whole number of parts, and says what first is not finite", async () => {
    const { graph, weights, options } = prepared(5, false);
    const step = await openShards(graph, { ...options, shards: 2 });
    await expect(step.run(BATCH, weights)).rejects.toThrow(CompileError);
    const broken = numbers([10, 4]);
    (broken.data as Float32Array)[39] = Number.NaN;
    const batch = new Map([...BATCH, ["x", broken], ["y", numbers([3, 10])]] as const);
    expect(await step.firstNotFinite(batch, weights)).toBe('what "x" is fed');
    await step.release();
  });
});
