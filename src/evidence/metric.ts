import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { DataArray } from "../data/dataset.ts";
import { CompileError } from "../error.ts";

/**
 * How good outputs are. Each sample gives a small outcome that is kept, so that the metric, its interval, its slices and
 * later statistics can all be computed from the kept outcomes without running the model again.
 */
export interface Metric<O = unknown> {
  readonly name: string;
  /** Whether a higher or a lower value is better. */
  readonly direction: "higher" | "lower";
  /** Whether samples must have a target. */
  readonly needsTarget: boolean;
  /** The sample's own result, as JSON. @throws CompileError where the outputs or the target do not fit the metric. */
  outcome(outputs: ReadonlyMap<string, DataArray>, target: DataArray | string | undefined): O;
  /** The metric over samples. `reference` holds the teacher's outcomes for metrics that compare with them. */
  combine(outcomes: readonly O[], reference: readonly O[]): number;
  /**
   * Where the metric is Σ numerators / Σ denominators over the samples: one sample's. Then intervals cost a sum a group, and
   * yes-or-no outcomes (0 or 1, of 1) get exact ones. `reference`: the teacher's outcome.
   */
  ratio?(outcome: O, reference: O): readonly [numerator: number, denominator: number];
  /**
   * The metric where each sample counts as often as its weight says; NaN where it has no value then. For metrics that
   * can do better than `combine` on a list with repetitions.
   */
  weighted?(outcomes: readonly O[], reference: readonly O[]): (weights: Int32Array) => number;
  /**
   * The metric, and for each sample its part of how much less the metric would be without the sample's group (`group`: the
   * number of each sample's), to first order; the value is NaN where a group cannot be left out. `effectiveGroups`: groups of
   * equal weight that would say as much. `faults`: how much of what is missing to a model without any fault is each sample's,
   * never negative, 0 for a sample without fault; limits of the metric itself need it. For metrics of 0 to 1 that are smooth
   * but no ratio of sums: then intervals need no draws.
   */
  influence?(outcomes: readonly O[], reference: readonly O[], group: Uint32Array): Influence;
  /**
   * The metric of the best answer that looks at no input, as far as the outcomes tell the targets. Certification warns where
   * the teacher is not shown to be better.
   */
  chance?(outcomes: readonly O[]): number | undefined;
  /** How much of two models' answers to one sample is the same. */
  same(a: O, b: O): { readonly equal: number; readonly total: number };
  /** The output that holds class scores or probabilities along its last axis, for metrics whose answers are classes. */
  scores?(outputs: ReadonlyMap<string, DataArray>): DataArray;
  /** How sure the model is of its answer: larger is surer. */
  confidence(outputs: ReadonlyMap<string, DataArray>): number;
}

interface Influence {
  readonly value: number;
  readonly each: Float64Array;
  readonly effectiveGroups: number;
  readonly faults?: Float64Array;
}

export type MetricOptions = Readonly<Record<string, unknown>>;
/** A metric's file exports one as default. `folder` is what relative paths in the options are relative to. */
export type MetricFactory<O = unknown> = (options: MetricOptions, folder: string) => Metric<O> | Promise<Metric<O>>;
/** In a recipe: a name, a path to a module of the user's, or either with options. */
export type MetricSpec = string | ({ readonly name: string } & MetricOptions);

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** `bitsPerCharacter` → `bits-per-character` */
const fileName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** @throws CompileError where there is no such metric or the user's module does not export one. */
export async function loadMetric(spec: MetricSpec, folder: string): Promise<Metric> {
  const { name, ...options } = typeof spec === "string" ? { name: spec } : spec;
  const own = /^\.{0,2}\//.test(name);
  const url = own
    ? pathToFileURL(resolve(folder, name))
    : new URL(`./metrics/${fileName(name)}${extension}`, import.meta.url);
  if ((!own && !/^[a-zA-Z0-9-]+$/.test(name)) || !existsSync(url)) {
    throw new CompileError("usage/unknown-metric", `there is no metric ${JSON.stringify(name)}`, {
      where: "metric",
      remedy: "use accuracy, cer, auc, f1, bitsPerCharacter or agreement, or a path such as ./my-metric.ts",
    });
  }
  const module = await importModule(url.href, name);
  if (typeof module.default !== "function") {
    throw new CompileError("usage/bad-metric", `the module ${name} has no default export that makes a metric`, {
      where: "metric",
      remedy:
        "export default (options, folder) => ({ name, direction, needsTarget, outcome, combine, same, confidence })",
    });
  }
  const metric = await (module.default as MetricFactory)(options, folder);
  for (const method of ["outcome", "combine", "same", "confidence"] as const) {
    if (typeof metric?.[method] === "function") continue;
    throw new CompileError("usage/bad-metric", `the metric ${name} has no function ${method}`, { where: "metric" });
  }
  return metric;
}

async function importModule(url: string, name: string): Promise<{ default?: unknown }> {
  try {
    return (await import(url)) as { default?: unknown };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CompileError("usage/bad-metric", `the metric module ${name} does not load: ${reason}`, {
      where: "metric",
      cause,
    });
  }
}

/** The output that a metric reads: the one named in its options, or the first. */
export function outputOf(outputs: ReadonlyMap<string, DataArray>, name: unknown): DataArray {
  const array = name === undefined ? [...outputs.values()][0] : outputs.get(String(name));
  if (array !== undefined) return array;
  const names = [...outputs.keys()].map((key) => JSON.stringify(key)).join(", ");
  throw new CompileError("usage/metric-output", `the model has no output ${JSON.stringify(name)}`, {
    where: "metric",
    remedy: `it has ${names}`,
  });
}

/** @throws CompileError where the sample has no numeric target. */
export function numbersIn(target: DataArray | string | undefined, metric: string): number[] {
  if (target !== undefined && typeof target !== "string") return Array.from(target.data as ArrayLike<number>, Number);
  throw new CompileError("usage/metric-target", `the metric ${metric} wants numeric targets`, {
    where: "metric",
    remedy: "give the data an array `target` of numbers",
  });
}

/** Rows along the last axis. */
export function rowsOf(array: DataArray): { readonly count: number; readonly width: number } {
  const width = array.shape.at(-1) ?? 1;
  return { width, count: width === 0 ? 0 : array.data.length / width };
}

/** The largest element of row `row` (the first of equals) and how far it is above the second largest. */
export function peak(array: DataArray, row: number, width: number): { index: number; margin: number } {
  const data = array.data as ArrayLike<number>;
  const start = row * width;
  let index = 0;
  let best = Number(data[start]);
  let second = Number.NEGATIVE_INFINITY;
  for (let at = 1; at < width; at++) {
    const value = Number(data[start + at]);
    if (value > best) {
      second = best;
      best = value;
      index = at;
    } else if (value > second) second = value;
  }
  return { index, margin: width > 1 ? best - second : Math.abs(best) };
}

/** The smallest margin over the rows: an answer is as sure as its least sure part. */
export function leastMargin(array: DataArray): number {
  const { count, width } = rowsOf(array);
  let least = Number.POSITIVE_INFINITY;
  for (let row = 0; row < count; row++) least = Math.min(least, peak(array, row, width).margin);
  return Number.isFinite(least) ? least : 0;
}

/** How many elements of two lists are equal, place by place; missing ones are not. */
export function equalPlaces(a: readonly number[], b: readonly number[]): { equal: number; total: number } {
  const total = Math.max(a.length, b.length);
  let equal = 0;
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] === b[at]) equal++;
  return { equal, total };
}

/** Whether a metric had no value because a class is missing: a matter of the draw or the slice, not of the build. */
export function isOneClass(error: unknown): boolean {
  return error instanceof CompileError && error.code === "evidence/one-class";
}
