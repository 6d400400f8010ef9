/** One artifact as a page: what its evidence says, where its time goes, where it comes from, and what to try next. */
import type { KeyObject } from "node:crypto";
import { basename } from "node:path";
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact, writeFileAtomic } from "./artifact/file.ts";
import { decodeGolden } from "./artifact/golden.ts";
import { attestationsOf, verifyAttestations } from "./artifact/verify.ts";
import { importTeacher } from "./build/teacher.ts";
import { checkProfile, targetOf } from "./certify/measure.ts";
import { decodeProgram } from "./emulate/decode.ts";
import { LIMITS } from "./emulate/limits.ts";
import { operate } from "./emulate/power.ts";
import { timelineOf } from "./emulate/timing.ts";
import { CompileError } from "./error.ts";
import { readOperatingPoint } from "./escalation.ts";
import { GATES } from "./evidence/gates.ts";
import { chipOf } from "./findings/chip.ts";
import { errorsOf } from "./findings/errors.ts";
import { type Evidence, evidenceOf } from "./findings/evidence.ts";
import { layersOf } from "./findings/layers.ts";
import { lineageFacts, lineageModel } from "./findings/lineage.ts";
import { calibrationOf, riskOf } from "./findings/risk.ts";
import { decodeRecord } from "./ir/record.ts";
import { profileProgram } from "./profile.ts";
import type { Recipe } from "./recipe.ts";
import { adviceFor } from "./report/html/advice.ts";
import {
  type Absent,
  type AccuracyModel,
  type ChipModel,
  type Cost,
  type GateLine,
  type LayersModel,
  MOST,
  type OperatingPointModel,
  type Point,
  type ReportModel,
  type Trust,
} from "./report/html/model.ts";
import { renderReport } from "./report/html/page.ts";

export interface ReportOptions {
  /** Other artifacts of the same task, to be seen beside this one. */
  readonly baselines?: readonly string[];
  /** With it the errors by layer are told anew, from the teacher itself, and not as the build told them. */
  readonly recipe?: Recipe;
  /** Public keys: the build's, then the certifier's. Without, the report says that nobody looked. */
  readonly keys?: readonly KeyObject[];
}

/** Writes the page at `output` whole or not at all. Throws what `reportOf` throws; usage/cannot-write. */
export async function writeReport(
  path: string,
  output: string,
  options: ReportOptions = {},
): Promise<{ readonly model: ReportModel; readonly bytes: number }> {
  const model = await reportOf(path, options);
  const bytes = Buffer.from(renderReport(model));
  writeFileAtomic(output, [bytes]);
  return { model, bytes: bytes.length };
}

/**
 * Everything that a report shows, as plain data. Throws what readArtifact and verifyAttestations throw; trust/two-keys,
 * trust/other-teacher, usage/other-metric, evidence/none for baselines.
 */
export async function reportOf(path: string, options: ReportOptions = {}): Promise<ReportModel> {
  const artifact = readArtifact(path);
  const trust = trustOf(artifact, options.keys ?? []);
  const evidence = evidenceOf(artifact);
  const lineage = lineageFacts(artifact);
  const { name, profile } = artifact.manifest.target;
  const { chip, layers } = await runOf(artifact, lineage, options.recipe);
  const uncertified = { absent: "Nobody certified this artifact yet: `optimus-compile certify` does." };
  const known: Omit<ReportModel, "advice"> = {
    name: lineage.recipe.name,
    artifact: basename(path),
    digest: artifact.digest,
    ...(evidence && { verdict: evidence.verdict, accuracy: accuracyOf(evidence), cost: costOf(evidence) }),
    trust,
    target: { name, profile },
    gates: evidence?.gates.map(gateLine) ?? [],
    points: pointsOf(lineage.recipe.name, evidence, options.baselines ?? []),
    ...(lineage.search && { search: lineage.search }),
    chip,
    layers,
    risk: evidence ? riskOf(evidence, pointModel(artifact, options.keys?.[1])) : uncertified,
    calibration: evidence ? calibrationOf(evidence) : uncertified,
    lineage: lineageModel(artifact, lineage, evidence),
  };
  return { ...known, advice: adviceFor(known) };
}

/** The certified operating point; without a key whatever stands there, as everything else in such a report. */
function pointModel(artifact: SealedArtifact, certifier: KeyObject | undefined): OperatingPointModel | Absent {
  const said = readOperatingPoint(artifact, certifier ?? "anybody");
  if (typeof said === "string")
    return { absent: `${said.charAt(0).toUpperCase()}${said.slice(1).replaceAll("`", "")}.` };
  const { margin, escalationRate, escalationLimits, risk, alpha, delta, compiled, teacher } = said;
  return {
    ...{ margin, escalationRate, risk, alpha, delta },
    ...(escalationLimits && { escalationAtMost: escalationLimits.upper }),
    atRisk: {
      ...(compiled.escalationAtEqualRisk !== undefined && { compiled: compiled.escalationAtEqualRisk }),
      ...(teacher.escalationAtEqualRisk !== undefined && { teacher: teacher.escalationAtEqualRisk }),
    },
  };
}

function trustOf(artifact: SealedArtifact, keys: readonly KeyObject[]): Trust {
  if (keys.length > 0) {
    const [build, certifier, ...more] = keys;
    if (certifier === undefined || more.length > 0) {
      throw new CompileError("trust/two-keys", `two public keys are needed, ${keys.length} given`, {
        remedy: "Give --key BUILD.pub.pem --certifier-key CERTIFIER.pub.pem: the build does not vouch for itself.",
      });
    }
    verifyAttestations(artifact, { build, certifier });
    return {
      state: "verified",
      says: "Both signatures hold: the build's over its provenance, the certifier's over these figures.",
    };
  }
  if (attestationsOf(artifact).length === 0)
    return { state: "unsigned", says: "Nobody signed this artifact: the figures are what the file claims." };
  return {
    state: "unverified",
    says: "The signatures were not checked for this report, which was made without keys: the figures are what the file claims.",
  };
}

function gateLine(result: Evidence["gates"][number]): GateLine {
  const kind = Object.hasOwn(GATES, result.gate) ? GATES[result.gate as keyof typeof GATES] : undefined;
  const keeps = kind?.keeps ?? (result.gate.startsWith("min") ? "at least" : "at most");
  const { shown, where, value, ...rest } = result;
  return {
    ...rest,
    value,
    keeps,
    says: kind?.says ?? "",
    ...(shown !== undefined && { shown }),
    ...(where !== undefined && { where }),
  };
}

function accuracyOf({ accuracy, data }: Evidence): AccuracyModel {
  const { interval, metricLimits, chance, flips, divergence, slices, calibrationError: _, ...rest } = accuracy;
  const risen = accuracy.compiled - accuracy.teacher;
  return {
    ...rest,
    // The drop is positive where it is worse; so its sign against the change tells which way is up.
    direction: risen !== 0 ? (risen > 0 === accuracy.drop > 0 ? "lower" : "higher") : "higher",
    ...(interval && { interval }),
    ...(metricLimits && { metricLimits }),
    ...(chance && { chance }),
    ...(flips && {
      flips: {
        flipped: flips.flipped,
        harmful: flips.harmful,
        ...(flips.share?.upper !== undefined && { harmfulAtMost: flips.share.upper }),
      },
    }),
    ...(divergence !== undefined && { divergence }),
    ...(data?.source !== undefined && { source: data.source }),
    slices: slices
      .map(({ groups, limits, ...slice }) => ({
        ...slice,
        ...(groups !== undefined && { groups }),
        ...(limits && { limits }),
      }))
      .sort((a, b) => b.drop - a.drop),
  };
}

function costOf({ latency, memory, energy, artifactBytes }: Evidence): Cost {
  const { cycles, ms, floorCycles, efficiency, clockGHz, capped } = latency;
  return {
    ...{ cycles, ms },
    ...(floorCycles !== undefined && { floorCycles }),
    ...(efficiency !== undefined && { efficiency }),
    ...(clockGHz !== undefined && { clockGHz }),
    ...(capped !== undefined && { capped }),
    sramPeakBytes: memory.sramPeakBytes,
    weightBytes: memory.weightBytes,
    dramBytes: memory.dramBytesPerInference,
    ...(artifactBytes !== undefined && { artifactBytes }),
    ...(energy && { mJ: energy.mJ }),
  };
}

function pointsOf(name: string, evidence: Evidence | undefined, baselines: readonly string[]): Point[] {
  if (evidence === undefined) return [];
  const others = baselines.map((path): Point => {
    const artifact = readArtifact(path);
    const other = evidenceOf(artifact);
    if (other === undefined) {
      throw new CompileError("evidence/none", "nobody has judged the baseline", {
        where: path,
        remedy: "Certify it with `optimus-compile certify`.",
      });
    }
    const [ours, theirs] = [evidence.accuracy.metric, other.accuracy.metric];
    if (ours !== theirs) {
      throw new CompileError("usage/other-metric", `the baseline was measured by ${theirs}, this artifact by ${ours}`, {
        where: path,
      });
    }
    const caution = other.data?.digest === evidence.data?.digest ? undefined : "measured on other data";
    return pointOf(`${lineageFacts(artifact).recipe.name} (${basename(path)})`, other, caution);
  });
  return [pointOf(name, evidence), ...others];
}

function pointOf(name: string, { accuracy, latency }: Evidence, caution?: string): Point {
  const { metricLimits } = accuracy;
  return {
    name,
    ms: latency.ms,
    metric: accuracy.compiled,
    ...(metricLimits && { low: metricLimits.lower, high: metricLimits.upper }),
    ...(caution !== undefined && { caution }),
  };
}

/** Layers that are told what would help. */
const HELPED = 12;

async function runOf(
  artifact: SealedArtifact,
  lineage: ReturnType<typeof lineageFacts>,
  recipe: Recipe | undefined,
): Promise<Pick<ReportModel, "chip" | "layers">> {
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  let made: ReturnType<typeof targetOf>;
  try {
    made = targetOf(artifact);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const absent = `There is no timeline: ${error.message}. The version of the compiler that built the artifact can draw it.`;
    return { chip: { absent }, layers: { absent } };
  }
  const program = decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
  const record = decodeRecord(section("record"));
  const { profile } = artifact.manifest.target;
  checkProfile(made, profile);
  const { target } = operate(program, made, { profile });
  const timeline = timelineOf(program, target, { profile });
  const profiled = profileProgram(program, made, { profile, top: HELPED });
  const told = lineage.errors && new Map(lineage.errors.values);
  const errors = recipe ? await layerErrors(artifact, lineage, recipe) : told;
  const { lines, layerOf, names } = layersOf(timeline, profiled.layers, record, errors ?? new Map());
  const layers: LayersModel = {
    cycles: profiled.cycles,
    layers: lines.slice(0, MOST.layers),
    left: Math.max(0, lines.length - MOST.layers),
    limits: LIMITS.map((limit) => ({ limit, cycles: profiled.limits[limit] }))
      .filter(({ cycles }) => cycles > 0)
      .sort((a, b) => b.cycles - a.cycles),
    whatIf: profiled.whatIf.map(({ what, gain }) => ({ what, gain })),
    ...(errors === undefined && {
      noErrors:
        "The error of each layer needs the teacher, and this artifact does not carry it: make the report with --recipe to have it.",
    }),
  };
  const chip: ChipModel = chipOf(program, timeline, target, layerOf, names.slice(0, MOST.layers));
  return { chip, layers };
}

async function layerErrors(
  artifact: SealedArtifact,
  lineage: ReturnType<typeof lineageFacts>,
  recipe: Recipe,
): Promise<ReadonlyMap<string, number>> {
  const teacher = await importTeacher(recipe);
  if (teacher.lineage.digest !== lineage.teacher.digest) {
    throw new CompileError(
      "trust/other-teacher",
      "the recipe's teacher is not the one that the artifact was made from",
      {
        where: `${recipe.model}: ${teacher.lineage.digest}, wanted ${lineage.teacher.digest}`,
        remedy: "Give the recipe that the artifact was built with.",
      },
    );
  }
  const golden = decodeGolden(artifact.sections.get("golden") ?? new Uint8Array());
  return errorsOf(teacher.graph, decodeRecord(artifact.sections.get("record") ?? new Uint8Array()), golden);
}
