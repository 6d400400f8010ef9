import type { ZodType } from "zod";
import type { Graph, Tensor } from "./ir/graph.ts";

/** One set of values for a graph's inputs. */
export type Feeds = ReadonlyMap<string, Tensor>;

/** Samples that passes may look at, such as the calibration split. The same index always gives the same sample. */
export interface Samples {
  readonly size: number;
  feeds(index: number): Feeds | Promise<Feeds>;
  /** Name of the sequence that a sample belongs to: its samples run in order, with states carried over. */
  sequence?(index: number): string | undefined;
  /** Where every sample is of one class: of which, and which there are in the recipe's data. */
  readonly labels?: { readonly classes: readonly number[]; of(index: number): number };
}

export interface Log {
  /** What a user may want to know. */
  info(message: string): void;
  /** What a user should know: it may be why the result is not what they hoped for. */
  warn(message: string): void;
}

/** A compiled graph of integer operators: codes in, codes out. */
export interface Runner {
  run(feeds: Feeds): Map<string, Tensor>;
}

export type Execute = (graph: Graph) => Runner;

/** What a pass may use besides the graph. Everything here is injected by `build`; absent parts were not given. */
export interface Context<O = Record<string, never>> {
  readonly options: O;
  /** The hardware description; opaque, since passes ask for its limits through constraints only. */
  readonly target?: unknown;
  readonly calibration?: Samples;
  /** Further splits, by name. */
  readonly data?: ReadonlyMap<string, Samples>;
  readonly log: Log;
  /** Types of every value, worked out anew. */
  infer(graph: Graph): Graph;
  /** A stream of numbers in [0, 1) of its own for each purpose, the same in every build with the same seed. */
  random(purpose: string): () => number;
  /** The cost of the graph on the target. */
  cost?(graph: Graph): { readonly cycles: number; readonly dramBytes: number };
  /** Worker threads that a pass may use; 1 if absent. The result does not depend on it. */
  readonly jobs?: number;
  /** Runs integer graphs fast; absent means the interpreter has to do. */
  readonly execute?: Execute;
  readonly signal?: AbortSignal;
  /** Keeps something beside the graph: a ranking, a record, a checkpoint. */
  notes(key: string, value: unknown): void;
}

/**
 * One step from graph to graph, found by its path: `passes/fuse/conv-bn.ts` is `fuse/conv-bn`. Returning the same object
 * says that nothing was done.
 */
export interface Pass<O = Record<string, never>> {
  /** One sentence for people. */
  readonly summary: string;
  readonly options?: ZodType<O>;
  /** The pass changes numbers on purpose (quantization does), so they are not compared with those before it. */
  readonly lossy?: boolean;
  run(graph: Graph, context: Context<O>): Graph | Promise<Graph>;
}

/** A pass by its name, with options, or a list that is repeated until nothing changes. */
export type PassSpec =
  | string
  | { readonly pass: string; readonly [option: string]: unknown }
  | { readonly repeat: readonly PassSpec[] };
