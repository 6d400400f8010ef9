/** Which values are worth 16 bits: those whose 8 bits cost the outputs most, as far as the products' time allows. */
import { type Graph, type Node, type Type, typeOf } from "../ir/graph.ts";
import { findOp } from "../ops/find.ts";
import type { Samples } from "../pass.ts";
import { type Plan, readersOf, type StoredClass, storedClasses } from "./annotate.ts";
import { meanRequests } from "./bias.ts";
import { calibrate } from "./calibrate.ts";
import { classHistogram, classRange } from "./class-ranges.ts";
import { ARRAY } from "./formats.ts";
import type { Histogram } from "./histogram.ts";
import { quantOf } from "./ranges.ts";
import { outputErrors, type Stored } from "./sensitivity.ts";
import { BYTE, macsOf, sizeOf, workOf } from "./work.ts";

export interface WidenOptions {
  /** How much more work the wide values may make, as a share of the whole graph's. */
  readonly share: number;
  readonly samples: number;
  readonly jobs: number;
  readonly signal?: AbortSignal;
}

/** A value with what its 8 bits cost, relative to all such values' cost, and the work that 16 bits would add, relative to all. */
export interface WideChoice {
  readonly value: string;
  readonly error: number;
  readonly work: number;
}

/** Less than this share of all values' error is not worth a second pass. */
const LEAST = 0.01;

/**
 * The values that should be 16 bits wide, dearest first. Each value's error at the outputs is measured with all else float; values
 * are then taken by error saved for the work that they add, until the share is used up.
 */
export async function wideChoices(
  graph: Graph,
  histograms: ReadonlyMap<string, Histogram>,
  plan: Plan,
  calibration: Samples,
  options: WidenOptions,
): Promise<WideChoice[]> {
  const readers = readersOf(graph);
  const classes = storedClasses(graph, plan).filter((stored) => mayWiden(stored, graph, plan, readers));
  if (classes.length === 0 || options.share === 0) return [];
  const choices = await storedValues(graph, classes, histograms, plan, readers, calibration, options);
  const total = graph.nodes.reduce((sum, node) => sum + workOf(graph, node), 0);
  const samples = samplesFor(calibration, classes.length, total, options.samples);
  const errors = await outputErrors(graph, choices, calibration, { samples, signal: options.signal });
  const whole = errors.reduce((sum, error) => sum + error, 0);
  const priced = classes.map(({ entry }, index) => ({
    value: entry.members[0],
    error: whole > 0 ? errors[index] / whole : 0,
    work: workOfValues(graph, entry.members, readers) / total,
  }));
  const worth = ({ error, work }: WideChoice) => error / work;
  let left = options.share;
  return priced
    .filter(({ error }) => error >= LEAST)
    .sort((a, b) => worth(b) - worth(a))
    .filter(({ work }) => {
      const fits = work <= left;
      if (fits) left -= work;
      return fits;
    })
    .sort((a, b) => b.error - a.error);
}

/** Products or as many moved bytes, by BYTE, that all trials together may take, and the fewest and the most samples of a trial. */
const [MOST_WORK, FEWEST, ENOUGH_STEPS] = [2 ** 38, 4, 8];

/** Large models have many numbers to tell by in one answer; a step of a stream tells less than a sample. */
function samplesFor(calibration: Samples, trials: number, work: number, most: number): number {
  const streams = calibration.sequence?.(0) !== undefined;
  const limit = streams ? most * ENOUGH_STEPS : most;
  return Math.max(FEWEST, Math.min(limit, Math.floor(MOST_WORK / Math.max(1, trials * work))));
}

/** 8-bit values whose makers and readers all take 16 bits on this chip, within the bounds of their accumulators. */
function mayWiden(
  { entry, dtype, given }: StoredClass,
  graph: Graph,
  plan: Plan,
  readers: ReadonlyMap<string, Node[]>,
): boolean {
  if (given || dtype !== "int8" || entry.members.some((name) => plan.int8.has(name))) return false;
  const states = new Set(graph.states.flatMap(({ input, output }) => [input, output]));
  const makers = graph.nodes.filter((node) => node.outputs.some((name) => entry.members.includes(name)));
  return (
    !entry.members.some((name) => states.has(name) || graph.constants.has(name)) &&
    makers.every((node) => node.op !== "Softmax") &&
    entry.members.every((name) => (readers.get(name) ?? []).every((node) => readsWide(graph, node, name)))
  );
}

/** Elements of a normalised row whose squares still fit (docs/integer-semantics.md). */
const LONGEST_ROW = 512;

function readsWide(graph: Graph, node: Node, name: string): boolean {
  if (node.domain !== "") return false;
  if (ARRAY.has(node.op)) return node.inputs[0] === name && !node.inputs.slice(1).includes(name);
  if (node.op === "LayerNormalization") return Number(typeOf(graph, name)?.shape?.at(-1)) <= LONGEST_ROW;
  const op = findOp(node.domain, node.op);
  return op?.passesThrough === true || op?.carries === true || op?.riding !== undefined;
}

/** What 16 bits add: a second pass of each product that reads the values, and a second byte wherever they come and go. */
function workOfValues(graph: Graph, members: readonly string[], readers: ReadonlyMap<string, Node[]>): number {
  const products = new Set(members.flatMap((name) => (readers.get(name) ?? []).filter(({ op }) => ARRAY.has(op))));
  const moved = members.reduce((sum, name) => sum + (1 + (readers.get(name)?.length ?? 0)) * sizeOf(graph, name), 0);
  return [...products].reduce((sum, node) => sum + macsOf(graph, node), 0) + BYTE * moved;
}

/** What is rounded for each class: its roots, and behind linear readers alone without the offset that their biases take back. */
async function storedValues(
  graph: Graph,
  classes: readonly StoredClass[],
  histograms: ReadonlyMap<string, Histogram>,
  plan: Plan,
  readers: ReadonlyMap<string, Node[]>,
  calibration: Samples,
  { samples, jobs, signal }: WidenOptions,
): Promise<Stored[][]> {
  const types = new Map(graph.types);
  const stored = classes.map(({ entry }) => {
    const range = classRange(classHistogram(entry, graph, histograms), plan.calibrator, plan.percentile, "int8");
    const quant = quantOf(range, "int8");
    for (const name of entry.roots) types.set(name, { ...(types.get(name) as Type), dtype: "int8", quant });
    return entry.roots.map((value): Stored => ({ value, scale: quant.scale[0], zero: quant.zeroPoint[0] }));
  });
  const linear = (value: string) =>
    (readers.get(value) ?? []).every(({ op, inputs }) => LINEAR.has(op) && graph.constants.has(inputs[1]));
  const requests = meanRequests({ ...graph, types }).filter(({ value }) => linear(value));
  const wanted = { values: [], extremes: [], channels: requests };
  const { channels } = await calibrate(graph, wanted, calibration, { samples, jobs, signal });
  const offsets = new Map<string, Stored["offset"]>();
  for (let index = 0; index < requests.length; index += 2) {
    const [exact, rounded] = channels.slice(index, index + 2);
    const means = exact.map((mean, channel) => mean - rounded[channel]);
    if (means.length > 0) offsets.set(requests[index].value, { axis: requests[index].axis, means });
  }
  return stored.map((list) => list.map((each) => ({ ...each, offset: offsets.get(each.value) })));
}

const LINEAR = new Set(["Conv", "Gemm"]);
