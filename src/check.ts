/** Translation validation: a pass's graph is run beside the one before it, and the first value that differs is named. */

import { dequantize } from "./ir/codes.ts";
import type { Graph, RuntimeValue, Tensor } from "./ir/graph.ts";
import { decode } from "./ir/numbers.ts";
import type { Feeds, Samples } from "./pass.ts";

/** Runs a graph and returns its outputs, and the values in `keep` too if it can. */
export type RunGraph = (
  graph: Graph,
  feeds: Feeds,
  keep: ReadonlySet<string>,
) => ReadonlyMap<string, RuntimeValue> | Promise<ReadonlyMap<string, RuntimeValue>>;

export interface Check {
  readonly samples: Samples;
  readonly run: RunGraph;
  /** Largest |difference| allowed, as a fraction of max|y| of the value; 1e-4 unless said otherwise. */
  readonly tolerance?: number;
}

export interface Difference {
  readonly value: string;
  /** The teacher's nodes that the value came from. */
  readonly origin: readonly string[];
  /** max|Δ| / max|y|, or Infinity where the shapes differ. */
  readonly error: number;
  readonly sample: number;
}

/** The first value that both graphs name and that differs, in the order of the new graph. */
export async function firstDifference(before: Graph, after: Graph, check: Check): Promise<Difference | undefined> {
  const made = new Set(before.nodes.flatMap((node) => node.outputs));
  const shared = after.nodes.flatMap((node) => node.outputs.filter((name) => name !== "" && made.has(name)));
  const values = [...shared, ...after.outputs.filter((name) => !shared.includes(name))];
  const keep = new Set(values);
  for (let sample = 0; sample < check.samples.size; sample++) {
    const feeds = await check.samples.feeds(sample);
    const [a, b] = [await check.run(before, feeds, keep), await check.run(after, feeds, keep)];
    for (const value of values) {
      if (!a.has(value) || !b.has(value)) continue;
      const error = relativeError(a.get(value), b.get(value));
      if (error <= (check.tolerance ?? 1e-4)) continue;
      const origin = after.nodes.find((node) => node.outputs.includes(value))?.origin ?? [];
      return { value, origin, error, sample };
    }
  }
  return undefined;
}

/** max|a − b| / max|a|, 0 where both are equal; Infinity where shapes differ or only one is NaN. */
export function relativeError(a: RuntimeValue, b: RuntimeValue): number {
  if (a === undefined || b === undefined) return a === b ? 0 : Number.POSITIVE_INFINITY;
  if (Array.isArray(a) || Array.isArray(b)) {
    const [listA, listB] = [a as readonly Tensor[], b as readonly Tensor[]];
    if (!Array.isArray(a) || !Array.isArray(b) || listA.length !== listB.length) return Number.POSITIVE_INFINITY;
    return listA.reduce((worst, item, index) => Math.max(worst, relativeError(item, listB[index])), 0);
  }
  return tensorError(a as Tensor, b as Tensor);
}

function tensorError(a: Tensor, b: Tensor): number {
  if (String(a.shape) !== String(b.shape)) return Number.POSITIVE_INFINITY;
  if (a.dtype === "string" || b.dtype === "string") {
    return String(a.data) === String(b.data) ? 0 : Number.POSITIVE_INFINITY;
  }
  const real = (tensor: Tensor) => (tensor.quant === undefined ? decode(tensor) : decode(dequantize(tensor)));
  const [x, y] = [real(a), real(b)];
  let [largest, worst] = [0, 0];
  for (let index = 0; index < x.length; index++) {
    const [p, q] = [Number(x[index]), Number(y[index])];
    if (p === q || (Number.isNaN(p) && Number.isNaN(q))) {
      if (Number.isFinite(p)) largest = Math.max(largest, Math.abs(p));
      continue;
    }
    if (!Number.isFinite(p) || !Number.isFinite(q)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(p));
    worst = Math.max(worst, Math.abs(p - q));
  }
  return worst === 0 ? 0 : worst / largest;
}
