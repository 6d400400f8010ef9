import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import type { ValueClass } from "./classes.ts";
import type { ActivationFormat } from "./format.ts";
import { emptyHistogram, type Histogram, merge, observe } from "./histogram.ts";
import { chooseRange, int4Range, type Range, type RangeRule } from "./ranges.ts";

/** Levels of an int8 grid. */
const LEVELS = 256;

/**
 * All numbers that a class of values takes: what calibration saw of its roots, constants among them, and what its states begin
 * with. Throws usage/not-calibrated where calibration did not see a root.
 */
export function classHistogram(entry: ValueClass, graph: Graph, histograms: ReadonlyMap<string, Histogram>): Histogram {
  const histogram = emptyHistogram();
  for (const name of entry.roots) {
    const constant = graph.constants.get(name);
    if (constant) observe(histogram, Float32Array.from(decode(constant) as ArrayLike<number>));
    const seen = histograms.get(name);
    if (seen) merge(histogram, seen);
    if (!constant && !seen) {
      throw new CompileError("usage/not-calibrated", `"${name}" has no range: calibration did not see it`, {
        where: `value ${name}`,
        remedy: "give the recipe a calibration split that reaches this value",
      });
    }
  }
  for (const state of graph.states) {
    if (entry.members.includes(state.input)) {
      observe(histogram, Float32Array.from(decode(state.init) as ArrayLike<number>));
    }
  }
  return histogram;
}

/** The range that a rule gives a class stored in 8 or 16 bits. With 16 codes none does but that of least squared error. */
export function classRange(histogram: Histogram, rule: RangeRule, percentile: number, dtype: ActivationFormat): Range {
  if (dtype === "int4") return int4Range(histogram);
  if (dtype === "int8")
    return chooseRange(histogram, { calibrator: rule, percentile, levels: LEVELS, symmetric: false });
  const wide = { calibrator: "min-max", percentile, levels: LEVELS, symmetric: true } as const;
  const { low, high } = chooseRange(histogram, wide);
  // 16 bits are never short of steps, so room for what calibration did not see costs nothing that shows.
  const margin = 1.25;
  return { low: low * margin, high: high * margin };
}
