/** Float models beside the teacher on the same samples: how far their answers are from its answers. */
import type { DataArray } from "../data/dataset.ts";
import { divergence } from "../evidence/calibration.ts";
import { loadMetric, type Metric, type MetricSpec, outputOf } from "../evidence/metric.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession, type Session } from "../run/ort.ts";

/** A sample with what the teacher makes of it. */
export interface Reference {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly target?: DataArray | string;
  /** States are as at first before this one. */
  readonly first: boolean;
  readonly outputs: ReadonlyMap<string, Tensor>;
}

export interface TrialBench {
  readonly references: readonly Reference[];
  readonly states: Graph["states"];
  readonly metric: MetricSpec;
  /** The recipe's, that the metric's paths start from. */
  readonly folder: string;
}

export interface TrialResult {
  /**
   * Mean over the samples: the Kullback–Leibler divergence from the teacher in nats a row where the metric knows scores, otherwise
   * the outputs' energy of error over their energy.
   */
  readonly distance: number;
  /** Share of answers that are not the teacher's. */
  readonly changed: number;
  /** How much worse the metric is than the teacher's; 0 where the samples do not tell. */
  readonly drop: number;
}

/** Outputs of all samples, at most, in bytes; fewer samples are taken where there are more. */
const MOST_BYTES = 2 ** 27;

/** The first samples of `given`, as many as there is room for, through the float model. */
export async function referencesOf(
  graph: Graph,
  given: AsyncIterable<Omit<Reference, "outputs">>,
  signal?: AbortSignal,
): Promise<Reference[]> {
  const session = await createSession(encodeModel(graph));
  const found: Reference[] = [];
  const step = stepper(session, graph.states);
  let bytes = 0;
  try {
    for await (const sample of given) {
      signal?.throwIfAborted();
      const outputs = await step(sample);
      for (const { shape } of outputs.values()) bytes += 4 * shape.reduce((count, size) => count * size, 1);
      if (bytes > MOST_BYTES && found.length > 0) break;
      found.push({ ...sample, outputs });
    }
  } finally {
    await session.release();
  }
  return found;
}

/** Runs sample after sample, with states carried on; what is fed back is not among the outputs. */
function stepper(session: Session, states: Graph["states"]) {
  let held = new Map<string, Tensor>();
  const internal = new Set(states.map(({ output }) => output));
  return async ({ feeds, first }: Pick<Reference, "feeds" | "first">): Promise<Map<string, Tensor>> => {
    if (first) held = new Map(states.map(({ input, init }) => [input, init]));
    const outputs = await session.run(new Map([...held, ...feeds]));
    for (const { input, output } of states) held.set(input, outputs.get(output) as Tensor);
    return new Map([...outputs].filter(([name]) => !internal.has(name)));
  };
}

/** @param model ONNX bytes of a graph with the teacher's inputs, outputs and states */
async function runTrial(bench: TrialBench, judge: Metric, model: Uint8Array): Promise<TrialResult> {
  const session = await createSession(model);
  const step = stepper(session, bench.states);
  const [teacher, tried]: [unknown[], unknown[]] = [[], []];
  let [distance, equal, total] = [0, 0, 0];
  try {
    for (const sample of bench.references) {
      const outputs = await step(sample);
      const [wanted, found] = [sample.outputs, outputs] as ReadonlyMap<string, Tensor>[] as Map<string, DataArray>[];
      distance += distanceOf({ metric: bench.metric, judge }, wanted, found);
      const pair = [judge.outcome(wanted, sample.target), judge.outcome(found, sample.target)];
      teacher.push(pair[0]);
      tried.push(pair[1]);
      const same = judge.same(pair[0], pair[1]);
      equal += same.equal;
      total += same.total;
    }
  } finally {
    await session.release();
  }
  const count = Math.max(1, bench.references.length);
  return {
    distance: distance / count,
    changed: total === 0 ? 0 : 1 - equal / total,
    drop: dropOf(judge, teacher, tried),
  };
}

function dropOf(metric: Metric, teacher: readonly unknown[], tried: readonly unknown[]): number {
  try {
    const risen = metric.combine(tried, teacher) - metric.combine(teacher, teacher);
    const drop = metric.direction === "higher" ? -risen : risen;
    return Number.isFinite(drop) ? drop : 0;
  } catch {
    // So few samples may all be of one class.
    return 0;
  }
}

type Outputs = ReadonlyMap<string, DataArray>;

/** Metrics whose outputs are scores of classes along their last axis, though their answers are not single classes. */
const SCORING: ReadonlySet<string> = new Set(["cer", "bits-per-character", "bitsPerCharacter"]);

/** See `TrialResult.distance`; of one sample. */
function distanceOf({ metric, judge }: Judge, teacher: Outputs, tried: Outputs): number {
  const named = typeof metric === "string" ? undefined : metric.output;
  const scores = judge.scores ?? (SCORING.has(judge.name) ? (all: Outputs) => outputOf(all, named) : undefined);
  const apart = scores ? divergence(scores(teacher), scores(tried)) : Number.NaN;
  // Of equal answers float32 may make a little less than nothing.
  if (!Number.isNaN(apart)) return Math.max(0, apart);
  let [signal, error] = [0, 0];
  for (const [name, wanted] of teacher) {
    const found = tried.get(name);
    if (!found) continue;
    const [a, b] = [valuesOf(wanted as Tensor), valuesOf(found as Tensor)] as ArrayLike<number>[];
    for (let at = 0; at < a.length; at++) {
      signal += Number(a[at]) ** 2;
      error += (Number(a[at]) - Number(b[at])) ** 2;
    }
  }
  return error / Math.max(signal, 1e-30);
}

interface Judge {
  readonly metric: MetricSpec;
  readonly judge: Metric;
}

/** One model after the other; the metric is loaded once. */
export async function openTrials(bench: TrialBench): Promise<(model: Uint8Array) => Promise<TrialResult>> {
  const judge = await loadMetric(bench.metric, bench.folder);
  return (model) => runTrial(bench, judge, model);
}
