/** A small training with all that a checkpoint must carry: running statistics, AdamW's moments, an average of weights. */
import { seededRandom } from "../../src/ir/random.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import type { TrainOptions } from "../../src/train/loop.ts";
import { withLosses } from "../../src/train/losses.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";
import { makeOptimizer } from "../../src/train/optimizer.ts";
import { rateAt } from "../../src/train/schedule.ts";
import { initialWeights, openStep } from "../../src/train/step.ts";

export const STEPS = 40;

const NETWORK = `
  input x: float32[8, 4]
  const w: float32[4, 16] = random(1)
  const g: float32[16] = random(2)
  const b: float32[16] = random(3)
  const m: float32[16] = zeros
  const s: float32[16] = random(5)
  const v: float32[16, 3] = random(4)
  h = MatMul(x, w)
  n = BatchNormalization(h, g, b, m, s)
  a = Relu(n)
  y = MatMul(a, v)
  return y
`;

/** `rate`: the peak of the learning rate. */
export async function toyTraining(rate = 0.01): Promise<TrainOptions & { release(): Promise<void> }> {
  const { graph: scored, loss } = withLosses(parse(NETWORK), [{ kind: "labels", scores: "y", labels: "t" }]);
  const { graph, statistics } = trainingMode(scored);
  const parameters = parametersOf(graph);
  const step = await openStep(graph, { loss, parameters, statistics });
  return {
    ...{ step, steps: STEPS, clip: 1, optimizer: makeOptimizer({ kind: "adamw" }) },
    weights: initialWeights(graph, [...parameters, ...statistics.map(({ name }) => name)]),
    average: { weights: new Map(), decay: 0.9 },
    rate: (at) => rateAt({ peak: rate, steps: STEPS, warmUp: 3 }, at),
    batch(at) {
      const random = seededRandom(`batch ${at}`);
      const x = float32(
        [8, 4],
        Array.from({ length: 32 }, () => random() - 0.5),
      );
      const t = BigInt64Array.from({ length: 8 }, () => BigInt(Math.floor(3 * random())));
      return new Map([
        ["x", x],
        ["t", { dtype: "int64", shape: [8], data: t }],
      ]);
    },
    release: () => step.release(),
  };
}
