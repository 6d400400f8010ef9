/**
 * A gate: trust the evidence, find the limits, judge by them, honour waivers, and sign the verdict where that is asked. Reads artifacts
 * and one budgets file; runs no model.
 */
import type { KeyObject } from "node:crypto";
import { resolve } from "node:path";
import { writeArtifact } from "./artifact/file.ts";
import { fingerprint } from "./artifact/keys.ts";
import { CompileError } from "./error.ts";
import { GATES, type GateName, judge } from "./evidence/gates.ts";
import { attestJudgement, requireAttester } from "./gate/attest.ts";
import { type Budget, type Budgets, fits } from "./gate/budgets.ts";
import { type Evidence, readEvidence, type Trust } from "./gate/evidence.ts";
import { judgeRelative, type RelativeResult } from "./gate/relative.ts";
import { isAbout, readWaiver, type SignedWaiver, sortWaivers } from "./gate/waiver.ts";
import {
  type ArtifactLine,
  GATE_SCHEMA,
  type GateDocument,
  type GateLine,
  type Place,
  worstVerdict,
} from "./report/gate-document.ts";

export interface GateOptions {
  readonly trust: Trust;
  /** Absent: the gates that the certifier judged, as the evidence has them. */
  readonly budgets?: Budgets;
  /** Path of the baseline, before what the budgets say. */
  readonly baseline?: string;
  readonly waivers?: { readonly files: readonly string[]; readonly keys: readonly KeyObject[] };
  /** `YYYY-MM-DD`, UTC: waivers that ended before it do not count. */
  readonly today: string;
  /** With it each artifact gets the verdict about it appended, signed by this key. */
  readonly attest?: KeyObject;
  /** How a path is shown in reports. */
  readonly show?: (path: string) => string;
}

/**
 * Judges each artifact by every budget that fits its name. Throws usage/no-budget where none does, gate/… nothing: what
 * fails is in the document, and so is what lacks evidence. With `attest` it is also in the artifacts, once all are judged: throws usage/attest-unsigned and
 * trust/same-key before.
 */
export async function gate(paths: readonly string[], options: GateOptions): Promise<GateDocument> {
  const { trust, budgets, attest, waivers = { files: [], keys: [] }, show = (path) => path } = options;
  if (attest) requireAttester(attest, trust);
  const evidence = paths.map((path) => readEvidence(path, trust));
  const about = evidence.map(({ name, artifact: { digest } }) => ({ name, digest }));
  const keys = waivers.keys.filter((key) => trust === "unsigned" || fingerprint(key) !== fingerprint(trust.build));
  const signed = waivers.files.map((file) => readWaiver(file, keys));
  const { valid, refused } = sortWaivers(signed, about, options.today);
  const artifacts: ArtifactLine[] = [];
  for (const one of evidence) artifacts.push(await judgeOne(one, valid, options));
  const policy = budgets && { file: show(budgets.file), digest: budgets.digest };
  if (attest) {
    for (const [at, one] of evidence.entries()) {
      writeArtifact(one.path, await attestJudgement(one, artifacts[at], policy, attest));
    }
  }
  return {
    schema: GATE_SCHEMA,
    verdict: worstVerdict(artifacts.map(({ verdict }) => verdict)),
    ...(policy && { budgets: policy }),
    artifacts,
    ...(attest && { attestedBy: fingerprint(attest) }),
    refusedWaivers: refused.map((waiver) => ({ ...waiver, file: show(waiver.file) })),
  };
}

async function judgeOne(
  evidence: Evidence,
  waivers: readonly SignedWaiver[],
  options: GateOptions,
): Promise<ArtifactLine> {
  const { budgets, show = (path) => path } = options;
  const { name, path, verified } = evidence;
  const { digest } = evidence.artifact;
  const applying = (budgets?.entries ?? [])
    .map((entry, at) => ({ entry, at }))
    .filter(({ entry }) => fits(entry.artifact, name));
  if (budgets && applying.length === 0) throw noBudget(name, budgets);
  const unplaced: Place = { file: show(path), line: 1, column: 1 };
  const lines: GateLine[] = budgets ? [] : absolute(evidence.gates, evidence).map((result) => lineOf(result, unplaced));
  let baseline: Evidence | undefined;
  for (const { entry, at } of applying) {
    const place = (...rest: string[]): Place => {
      const found = budgets?.place(["budgets", at, ...rest]) ?? unplaced;
      return { file: show(budgets?.file ?? path), line: found.line, column: found.column };
    };
    lines.push(...absolute(entry.gates, evidence).map((result) => lineOf(result, place("gates", result.gate))));
    if (entry.baseline === undefined) continue;
    baseline = readBaseline(entry, budgets?.folder ?? ".", options) ?? baseline;
    const results = await relative(entry, baseline, evidence, budgets?.folder ?? ".");
    const named = (gate: string) => place("baseline", "limits", gate.replace(/^baseline\./, ""));
    lines.push(...results.map((result) => lineOf(result, named(result.gate))));
  }
  if (lines.length === 0) lines.push(nothing(unplaced));
  const gates = lines.map((line) => waive(line, waivers, { name, digest }));
  const verdict = worstVerdict(gates.map((line) => line.verdict));
  const shown = baseline && { artifact: show(baseline.path), digest: baseline.artifact.digest };
  return { artifact: show(path), name, digest, verified, ...(shown && { baseline: shown }), verdict, gates };
}

/** A budget that limits nothing has judged nothing. */
function nothing(place: Place): GateLine {
  return {
    gate: "gates",
    verdict: "incomplete",
    limit: 1,
    value: 0,
    place,
    reason: "no gate is named, so nothing was judged",
  };
}

function noBudget(name: string, { file, entries }: Budgets): CompileError {
  return new CompileError("usage/no-budget", `no budget fits the artifact ${JSON.stringify(name)}`, {
    where: file,
    remedy: `Its entries are for ${entries
      .slice(0, 8)
      .map(({ artifact }) => artifact)
      .join(", ")}.`,
  });
}

/** Gates that this version cannot measure are incomplete and not forgotten. */
function absolute(limits: Readonly<Record<string, number | undefined>>, { measured }: Evidence): RelativeResult[] {
  return Object.entries(limits).flatMap(([name, limit]): RelativeResult[] => {
    if (limit === undefined) return [];
    if (name in GATES) return [...judge({ [name as GateName]: limit }, measured).gates];
    return [{ gate: name, limit, value: undefined, verdict: "incomplete", reason: `nothing was measured for ${name}` }];
  });
}

function readBaseline({ baseline }: Budget, folder: string, options: GateOptions): Evidence | undefined {
  const path = options.baseline ?? (baseline?.artifact === undefined ? undefined : resolve(folder, baseline.artifact));
  if (path === undefined) return undefined;
  const found = readEvidence(path, options.trust);
  if (baseline?.digest === undefined || baseline.digest === found.artifact.digest) return found;
  throw new CompileError("trust/other-baseline", "this is not the baseline that the budgets name", {
    where: `${path}: ${found.artifact.digest}, wanted ${baseline.digest}`,
    remedy: "Get the baseline that was accepted, or accept this one with `optimus-compile accept`.",
  });
}

async function relative(
  { baseline, metric }: Budget,
  before: Evidence | undefined,
  after: Evidence,
  folder: string,
): Promise<RelativeResult[]> {
  const limits = baseline?.limits ?? {};
  if (before) return judgeRelative(limits, before, after, { folder, ...(metric !== undefined && { metric }) });
  return Object.entries(limits).map(([name, limit]) => ({
    gate: `baseline.${name}`,
    limit,
    value: undefined,
    verdict: "incomplete",
    reason: "no baseline is named: give --baseline, or `artifact` under `baseline` in the budgets",
  }));
}

function lineOf({ where, value, shown, baseline, ...result }: RelativeResult, place: Place): GateLine {
  return {
    ...result,
    ...(value !== undefined && { value }),
    ...(shown !== undefined && { shown }),
    ...(baseline !== undefined && { baseline }),
    ...(where !== undefined && { where }),
    place,
  };
}

/** A limit that was broken can be waived; evidence that is missing cannot: nobody knows what he would answer for. */
function waive(line: GateLine, waivers: readonly SignedWaiver[], about: { name: string; digest: string }): GateLine {
  if (line.verdict !== "fail") return line;
  const found = waivers.find((waiver) => waiver.gate === line.gate && isAbout(waiver, about));
  if (found === undefined) return line;
  const { until, reason, by } = found;
  return { ...line, verdict: "waived", waiver: { until, reason, by } };
}
