import type { Tensor } from "../ir/graph.ts";
import { createSession, type SessionOptions } from "./ort.ts";
import type { Pool, SetUp } from "./pool.ts";

export interface SessionWork extends Omit<SessionOptions, "threads"> {
  readonly model: Uint8Array;
  /** Outputs to return; all where absent. */
  readonly fetches?: readonly string[];
}

type Feeds = ReadonlyMap<string, Tensor>;

/** One ONNX Runtime session a worker, one thread each. */
export const setUp: SetUp<SessionWork, Feeds, Map<string, Tensor>> = async ({ model, fetches, ...options }) => {
  const session = await createSession(model, { ...options, threads: 1 });
  return (feeds) => session.run(feeds, fetches);
};

/** Runs a model over samples in the pool's workers. Outputs come in the samples' order, each a map by name. */
export function runModel(
  pool: Pool,
  work: SessionWork,
  samples: Iterable<Feeds> | AsyncIterable<Feeds>,
  options?: { readonly signal?: AbortSignal },
): AsyncGenerator<Map<string, Tensor>, void, undefined> {
  return pool.map<SessionWork, Feeds, Map<string, Tensor>>(new URL(import.meta.url), work, samples, options);
}
