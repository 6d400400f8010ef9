/** One training step as an ONNX Runtime session: forward, loss and gradients in a single run. */
import { bug } from "../error.ts";
import { type Graph, isStatic, type Tensor, typeOf } from "../ir/graph.ts";
import { numbersOf, valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession } from "../run/ort.ts";
import { withOutputsAsMade } from "./as-made.ts";
import { withShortRowSums } from "./attention.ts";
import { withBlockedConvolutions } from "./blocked.ts";
import { withCausalAttention } from "./causal.ts";
import { withBlockedCuts } from "./cuts.ts";
import { firstNotFinite } from "./diagnose.ts";
import { type DifferentiateOptions, differentiate } from "./differentiate.ts";
import { withHeadsApart } from "./heads.ts";
import { convolutionBlock } from "./layout.ts";
import { arraysIn, type Place, sizeOf } from "./memory.ts";
import type { Statistic } from "./mode.ts";
import { makeOptimizer, normOf, type Optimizer } from "./optimizer.ts";
import { withBlockedProducts } from "./products.ts";
import type { OptimizerSpec } from "./rules.ts";
import { withTiles } from "./tiles.ts";

export interface StepOptions extends DifferentiateOptions {
  /** Running statistics: read as inputs, given back renewed. */
  readonly statistics?: readonly Statistic[];
  /** Threads inside an operator. The sums of gradients depend on it; 1 gives the same bits everywhere. */
  readonly threads?: number;
}

/** What a training carries from step to step, by name: parameters and running statistics, float32. */
export type Weights = Map<string, Tensor>;

export interface StepResult {
  readonly loss: number;
  /** By parameter, in the parameters' order. The next run of the step writes over them. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** Euclidean norm of all gradients together. */
  readonly norm: number;
  /** New values of the running statistics. */
  readonly statistics: ReadonlyMap<string, Tensor>;
  readonly kept: ReadonlyMap<string, Tensor>;
}

export interface TrainingStep {
  /** The graph that runs, for whoever wants to see or export it. */
  readonly graph: Graph;
  /** The weights' arrays may come to be others, with the same numbers, that lie in memory which threads share. */
  run(batch: ReadonlyMap<string, Tensor>, weights: Weights): Promise<StepResult>;
  /** What first is not finite in a step that diverged, in words; undefined where everything is. */
  firstNotFinite(batch: ReadonlyMap<string, Tensor>, weights: Weights): Promise<string | undefined>;
  /** One that moves weights by this step's gradients, on the threads that compute them. */
  optimizer(spec: OptimizerSpec): Optimizer;
  release(): Promise<void>;
}

/** The values that a training starts from: the graph's own constants. */
export function initialWeights(graph: Graph, names: readonly string[]): Weights {
  return new Map(
    names.map((name) => {
      const tensor = graph.constants.get(name) ?? bug(`"${name}" is no constant`);
      return [name, { ...tensor, data: Float32Array.from(valuesOf(tensor) as Float32Array) }];
    }),
  );
}

/** A step's graph, and how its inputs and outputs are read. */
export interface StepPlan {
  readonly graph: Graph;
  /** The graph as ONNX Runtime is given it on this machine. */
  model(): Uint8Array;
  /** What of a batch and of the weights the graph reads. */
  feeds(batch: ReadonlyMap<string, Tensor>, weights: Weights): Map<string, Tensor>;
  result(outputs: ReadonlyMap<string, Tensor>): PartResult;
  /** The gradients, as the graph names them, in the parameters' order. */
  readonly gradients: readonly Place[];
}

/** What a step gives beside the gradients. */
export type PartResult = Omit<StepResult, "gradients" | "norm">;

/** Values of a graph with their shapes, which must be known. */
export function placesOf(graph: Graph, names: readonly string[]): Place[] {
  return names.map((name) => {
    const shape = typeOf(graph, name)?.shape;
    return { name, shape: isStatic(shape) ? shape : bug(`the shape of "${name}" is not known`) };
  });
}

/** The graph with convolutions and products on kernels for channels in blocks, and what lies between them there too. */
function inBlocks(graph: Graph, block: number): Graph {
  const products = withBlockedProducts(withBlockedConvolutions(graph, block), block);
  return withTiles(withBlockedCuts(products, block), block);
}

/** Differentiates the graph. */
export async function planStep(graph: Graph, options: StepOptions): Promise<StepPlan> {
  const { loss, parameters, statistics = [], keep = [], recompute = false } = options;
  const block = await convolutionBlock();
  const step = differentiate(graph, {
    ...{ loss, parameters, recompute },
    carry: statistics.map(({ name }) => name),
    keep: [...keep, ...statistics.map(({ next }) => next)],
    ...(block === undefined ? {} : { block }),
  });
  const wanted = new Set(step.inputs);
  return {
    graph: step,
    gradients: placesOf(step, step.outputs.slice(1, 1 + parameters.length)),
    model() {
      const short = withHeadsApart(withCausalAttention(withShortRowSums(step)));
      const fast = block === undefined ? short : inBlocks(short, block);
      return encodeModel(withOutputsAsMade(fast, step.outputs.slice(1, 1 + parameters.length)));
    },
    feeds: (batch, weights) => new Map([...batch, ...weights].filter(([name]) => wanted.has(name))),
    result(outputs) {
      const of = (name: string): Tensor => outputs.get(name) ?? bug(`the step gave no "${name}"`);
      return {
        loss: numbersOf(of(step.outputs[0]))[0],
        statistics: new Map(statistics.map(({ name, next }) => [name, of(next)])),
        kept: new Map(keep.map((name) => [name, of(name)])),
      };
    },
  };
}

/** Differentiates the graph and loads the step. Weights are inputs of the session: it is made once. */
export async function openStep(graph: Graph, options: StepOptions): Promise<TrainingStep> {
  const plan = await planStep(graph, options);
  const session = await createSession(plan.model(), { threads: options.threads ?? 1, memoryPattern: false });
  const places = plan.gradients;
  const into = arraysIn({ memory: new ArrayBuffer(4 * sizeOf(places)), places });
  const gradients = byParameter(options.parameters, into);
  return {
    graph: plan.graph,
    optimizer: makeOptimizer,
    firstNotFinite: (batch, weights) => firstNotFinite(plan.graph, plan.feeds(batch, weights)),
    async run(batch, weights) {
      const result = plan.result(await session.run(plan.feeds(batch, weights), undefined, into));
      return { ...result, gradients, norm: normOf(gradients) };
    },
    release: () => session.release(),
  };
}

/** Gradients, given in the parameters' order under the graph's names, by parameter. */
export function byParameter(
  parameters: readonly string[],
  gradients: ReadonlyMap<string, Float32Array>,
): Map<string, Float32Array> {
  const arrays = [...gradients.values()];
  return new Map(parameters.map((name, index) => [name, arrays[index]]));
}
