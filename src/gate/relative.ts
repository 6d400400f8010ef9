/** What an artifact is beside its baseline: samples by pairs, costs exactly. */
import { CompileError } from "../error.ts";
import { type Evaluation, evaluate, type SampleRecord } from "../evidence/evaluate.ts";
import { GATES, type GateName, type GateResult, judge, type Measured } from "../evidence/gates.ts";
import { loadMetric, type Metric, type MetricSpec } from "../evidence/metric.ts";
import type { RelativeLimits } from "./budgets.ts";
import type { Evidence } from "./evidence.ts";

const SAMPLED = ["maxDrop", "maxSliceDrop", "maxHarmfulFlips"] as const;

/** A relative gate's result: as any other's, and the baseline's own figure where it is exact. */
export interface RelativeResult extends Omit<GateResult, "gate"> {
  readonly gate: string;
  readonly baseline?: number;
}

/** The same samples under both artifacts, or a sentence why they cannot be paired. */
export function pairsOf(before: Evidence, after: Evidence): SampleRecord[] | string {
  if (before.records.length === 0 || after.records.length === 0) return "one of the two has no samples in its evidence";
  if (before.data === undefined || before.data !== after.data) return "the two were judged on different data";
  if (JSON.stringify(before.metric) !== JSON.stringify(after.metric)) return "the two were judged by different metrics";
  const outcomes = new Map(before.records.map(({ id, compiled }) => [id, compiled]));
  if (outcomes.size !== before.records.length || after.records.length !== outcomes.size) {
    return "samples of the two cannot be told apart by their names";
  }
  const missing = after.records.find(({ id }) => !outcomes.has(id));
  if (missing || new Set(after.records.map(({ id }) => id)).size !== outcomes.size) {
    return "the two were judged on different samples";
  }
  return after.records.map((record) => ({ ...record, teacher: outcomes.get(record.id) }));
}

/** The evidence's metric. A module is loaded only where `own` names it: never on an artifact's word. */
export async function metricOf(evidence: Evidence, own: MetricSpec | undefined, folder: string): Promise<Metric> {
  if (own !== undefined) return loadMetric(own, folder);
  const { metric } = evidence;
  const name = typeof metric === "string" ? metric : metric?.name;
  if (metric === undefined || name === undefined) {
    throw new CompileError("evidence/metric", "the evidence does not say by which metric it was judged", {
      where: evidence.path,
      remedy: "Certify the artifact again with this version.",
    });
  }
  if (!/^[a-zA-Z0-9-]+$/.test(name) || typeof metric !== "string") {
    // Options may name files, too.
    throw new CompileError("usage/own-metric", `the metric ${JSON.stringify(name)} is a module or has options`, {
      where: evidence.path,
      remedy: "Say it in the budgets file as `metric:`; what an artifact names is not loaded on its word.",
    });
  }
  return loadMetric(metric, folder);
}

/** Fixes the resampling, so that the same two artifacts always get the same verdict. */
const SEED = 0;

/** The metric, flips and slices from the baseline to the artifact, at the alpha of the artifact's look. */
export function compare(metric: Metric, pairs: readonly SampleRecord[], alpha: number): Evaluation {
  return evaluate(metric, pairs, { seed: SEED, alpha });
}

export interface RelativeOptions {
  readonly metric?: MetricSpec;
  /** What the metric's path is relative to. */
  readonly folder: string;
}

/** Judges `after` by limits relative to `before`. */
export async function judgeRelative(
  limits: RelativeLimits,
  before: Evidence,
  after: Evidence,
  options: RelativeOptions,
): Promise<RelativeResult[]> {
  const sampled = Object.fromEntries(
    SAMPLED.flatMap((name) => (limits[name] === undefined ? [] : [[name, limits[name]]])),
  );
  const results: RelativeResult[] = [];
  if (Object.keys(sampled).length > 0) {
    const pairs = pairsOf(before, after);
    const { alpha } = after;
    if (typeof pairs === "string" || alpha === undefined) {
      const why = typeof pairs === "string" ? pairs : "the evidence does not say which look at the data it is";
      results.push(...Object.entries(sampled).map(([gate, limit]) => incomplete(gate, limit, why)));
    } else {
      const metric = await metricOf(after, options.metric, options.folder);
      const accuracy = compare(metric, pairs, alpha);
      const keys = new Set(after.measured.slices?.map(({ key }) => key));
      const slices = accuracy.slices.filter(({ key }) => keys.has(key));
      results.push(...judge(sampled, { accuracy, slices }).gates.map(againstBaseline));
    }
  }
  for (const [name, growth] of Object.entries(limits)) {
    if (growth === undefined || name in sampled) continue;
    results.push(exactly(name, growth, before.measured, after.measured));
  }
  return results;
}

const againstBaseline = (result: GateResult): RelativeResult => ({ ...result, gate: `baseline.${result.gate}` });

function incomplete(gate: string, limit: number, reason: string): RelativeResult {
  return { gate: `baseline.${gate}`, limit, value: undefined, verdict: "incomplete", reason };
}

function exactly(name: string, growth: number, before: Measured, after: Measured): RelativeResult {
  const baseline = name in GATES ? GATES[name as GateName].value(before) : undefined;
  if (baseline === undefined) return incomplete(name, growth, `the baseline has no figure for ${name}`);
  const limit = baseline * (1 + growth);
  const [result] = judge({ [name]: limit }, after).gates;
  const change = result.value === undefined || baseline === 0 ? "" : `, ${signed(result.value / baseline - 1)}`;
  const reason = `${result.reason}: the baseline's ${String(Number(baseline.toPrecision(8)))} and ${signed(growth)}${change && `; it is ${change.slice(2)}`}`;
  return { ...againstBaseline(result), baseline, reason };
}

const signed = (share: number): string => `${share < 0 ? "−" : "+"}${Number((100 * Math.abs(share)).toPrecision(4))} %`;
