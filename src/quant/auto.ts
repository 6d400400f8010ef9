import type { Graph, Node } from "../ir/graph.ts";
import { findOp } from "../ops/find.ts";
import { type Plan, readersOf, type StoredClass, storedClasses } from "./annotate.ts";
import { classHistogram, classRange } from "./class-ranges.ts";
import type { Histogram } from "./histogram.ts";
import type { ErrorRequest, Grid } from "./probe.ts";
import { quantOf, RANGE_RULES, type Range } from "./ranges.ts";

/** A class of values that the rules give different ranges, and where their errors are measured. */
interface Choice {
  /** First member of the class. */
  readonly key: string;
  readonly ranges: readonly Range[];
  readonly requests: readonly ErrorRequest[];
}

/** Operators that a rounding error goes through as it is, times the weights. */
const LINEAR = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** What must be measured to choose among the rules for every value in 8 bits. */
export function rangeChoices(graph: Graph, histograms: ReadonlyMap<string, Histogram>, plan: Plan): Choice[] {
  const readers = readersOf(graph);
  return storedClasses(graph, plan).flatMap((stored) => choiceOf(stored, graph, histograms, plan, readers) ?? []);
}

function choiceOf(
  { entry, dtype, given }: StoredClass,
  graph: Graph,
  histograms: ReadonlyMap<string, Histogram>,
  plan: Plan,
  readers: ReadonlyMap<string, readonly Node[]>,
): Choice | undefined {
  if (given || dtype !== "int8") return undefined;
  const histogram = classHistogram(entry, graph, histograms);
  const ranges = new Map<string, Range>();
  const grids: Grid[] = [];
  for (const rule of RANGE_RULES) {
    const range = classRange(histogram, rule, plan.percentile, "int8");
    const { scale, zeroPoint } = quantOf(range, "int8");
    const key = `${scale[0]} ${zeroPoint[0]}`;
    if (ranges.has(key)) continue;
    ranges.set(key, range);
    grids.push({ dtype: "int8", scale: scale[0], zero: zeroPoint[0] });
  }
  if (grids.length < 2) return undefined;
  const requests = entry.members
    .filter((name) => !graph.constants.has(name))
    .flatMap((value) => errorsOf(graph, value, readers.get(value) ?? [], grids));
  return { key: entry.members[0], ranges: [...ranges.values()], requests };
}

/** Where an error in a value counts: behind each linear reader, and once in itself for all readers that are not. */
function errorsOf(graph: Graph, value: string, readers: readonly Node[], grids: readonly Grid[]): ErrorRequest[] {
  const requests: ErrorRequest[] = [];
  let itself = graph.outputs.includes(value);
  for (const node of new Set(readers)) {
    const weights = graph.constants.get(node.inputs[1]);
    const linear = node.domain === "" && LINEAR.has(node.op) && node.inputs[0] === value && weights && !weights.quant;
    if (linear) requests.push({ value, grids, reader: node });
    else if (!findOp(node.domain, node.op)?.passesThrough) itself = true;
  }
  return itself ? [...requests, { value, grids }] : requests;
}

/**
 * For every class the range whose error is least, summed over the places where it counts, each relative to what is there without
 * error. `measured`: for each request, in order of the choices, the mean energy of the value and that of each error.
 */
export function leastErrors(choices: readonly Choice[], measured: readonly Float64Array[]): Map<string, Range> {
  const found = new Map<string, Range>();
  let at = 0;
  for (const { key, ranges, requests } of choices) {
    const errors = new Float64Array(ranges.length);
    for (const [whole, ...costs] of measured.slice(at, at + requests.length)) {
      if (whole > 0) for (const [index, cost] of costs.entries()) errors[index] += cost / whole;
    }
    at += requests.length;
    found.set(key, ranges[errors.indexOf(Math.min(...errors))]);
  }
  return found;
}
