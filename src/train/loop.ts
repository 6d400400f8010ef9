/** The loop: batch, step, clip, move, one report a step. What a batch holds and how fast to go follow from the step's number. */
import { CompileError } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { moveAverage, type Optimizer } from "./optimizer.ts";
import type { StepResult, TrainingStep, Weights } from "./step.ts";

type Batch = ReadonlyMap<string, Tensor>;

export interface TrainOptions {
  readonly step: TrainingStep;
  /** Parameters and running statistics: changed in place. */
  readonly weights: Weights;
  /** The step's own, or any. */
  readonly optimizer: Optimizer;
  /** Steps of the whole training; `from` is the first one to do, 0 unless a training is resumed. */
  readonly steps: number;
  readonly from?: number;
  /** What step 0, 1, … is fed: the same for the same number. Asked for while the step before runs. */
  batch(step: number): Batch | Promise<Batch>;
  /** The learning rate of a step. */
  rate(step: number): number;
  /** Largest norm of all gradients together. */
  readonly clip?: number;
  /** An average of the weights that follows them: `decay` is what it keeps a step. */
  readonly average?: { readonly weights: Weights; readonly decay: number };
  readonly signal?: AbortSignal;
}

export interface StepReport {
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  /** Norm of the gradients before clipping, where they are clipped. */
  readonly norm?: number;
  readonly kept: StepResult["kept"];
}

/**
 * Trains, one report a step; between two steps everything may be looked at and saved. Throws model/diverged, naming the
 * step, the weight nearest to where it began and the first value that was none, as soon as the loss or a gradient is not a finite number: the weights are
 * then still those before the step.
 */
export async function* train(options: TrainOptions): AsyncGenerator<StepReport, void, undefined> {
  const { step, weights, optimizer, steps, from = 0, clip, average, signal } = options;
  const drawn = async (at: number): Promise<Batch> => options.batch(at);
  let ahead: Promise<Batch> | undefined;
  for (let at = from; at < steps; at++) {
    signal?.throwIfAborted();
    const rate = options.rate(at);
    const batch = await (ahead ?? drawn(at));
    const running = step.run(batch, weights);
    // Where worker threads compute the step, the next batch is made meanwhile; what goes wrong with it is told in its turn.
    ahead = at + 1 < steps ? drawn(at + 1) : undefined;
    ahead?.catch(() => {});
    const { loss, gradients, norm, statistics, kept } = await running;
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw diverged(at, loss, notFinite(gradients).at(-1), await step.firstNotFinite(batch, weights));
    }
    const factor = clip !== undefined && norm > clip ? clip / norm : 1;
    await optimizer.update(weights, gradients, rate, factor);
    for (const [name, value] of statistics) weights.set(name, value);
    if (average) moveAverage(average.weights, weights, average.decay);
    yield { step: at, loss, rate, kept, ...(clip === undefined ? {} : { norm }) };
  }
}

function notFinite(gradients: ReadonlyMap<string, Float32Array>): string[] {
  return [...gradients].filter(([, gradient]) => !gradient.every(Number.isFinite)).map(([name]) => name);
}

/** What is not finite goes back to all layers before it: the last weight that it reached lies nearest to where it began. */
function diverged(step: number, loss: number, nearest: string | undefined, began: string | undefined): CompileError {
  const weight = nearest === undefined ? "" : `, weight ${nearest}`;
  const first = began === undefined ? "" : `: first in ${began}`;
  return new CompileError("model/diverged", `the training diverged in step ${step}: the loss is ${loss}`, {
    where: `step ${step}${weight}${first}`,
    remedy: "lower the learning rate, warm up longer, or clip the gradients; the last checkpoint is still good",
  });
}

/** The graph's constants with the weights' present values in place of the first ones. */
export function withWeights<G extends { readonly constants: ReadonlyMap<string, Tensor> }>(
  graph: G,
  weights: Weights,
): G {
  const constants = new Map(graph.constants);
  for (const [name, tensor] of weights) {
    if (constants.has(name)) constants.set(name, { ...tensor, data: (valuesOf(tensor) as Float32Array).slice() });
  }
  return { ...graph, constants };
}
