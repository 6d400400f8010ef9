/** System 1 to System 2: which decisions stay on the chip, learned from an artifact's signed evidence. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { openBundle } from "./artifact/bundle.ts";
import { canonicalBytes, type Json, toJson } from "./artifact/canonical.ts";
import { type Artifact, type SealedArtifact, sha256 } from "./artifact/container.ts";
import { fingerprint } from "./artifact/keys.ts";
import { signStatement } from "./artifact/sign.ts";
import { METRICS, makeStatement, OPERATING_POINT } from "./artifact/statement.ts";
import { attestationsOf, openAll, verifySignature } from "./artifact/verify.ts";
import { CompileError } from "./error.ts";
import { curveOf, leastEscalation } from "./evidence/escalation/curve.ts";
import { blindEscalation } from "./evidence/escalation/economics.ts";
import {
  escalationLimits,
  type Limits,
  learnThreshold,
  type Threshold,
} from "./evidence/escalation/learn-then-test.ts";
import { lossOf } from "./evidence/escalation/loss.ts";

export interface EscalationOptions {
  /** The share of loss that all decisions together may have. */
  readonly alpha: number;
  /** Assumed: how often System 2 errs where it answers. */
  readonly system2Error: number;
  /** Assumed: how often it does not answer in time; the system abstains then, which counts as an error. */
  readonly system2Timeout: number;
}

interface Areas {
  readonly aurc: number;
  readonly augrc: number;
  /** Plug-in: the least share to escalate for the risk alpha, without a guarantee … */
  readonly escalationAtRisk?: number;
  /** … and for the risk that the threshold has on the data. */
  readonly escalationAtEqualRisk?: number;
}

export interface OperatingPoint extends Threshold, Limits {
  /** One-sided limits of the share that is escalated, each at `delta`: of this threshold, as if it had been fixed before. */
  readonly escalationLimits: { readonly lower: number; readonly upper: number };
  readonly decisions: number;
  readonly groups: number;
  /** SHA-256 of the evidence that it was learned from. */
  readonly evidenceDigest: string;
  readonly system2Error: number;
  readonly system2Timeout: number;
  /** Plug-in: the mean loss where nothing is escalated … */
  readonly chipRisk: number;
  /** … and the share to escalate for the threshold's risk without looking at any confidence. */
  readonly blindAtEqualRisk?: number;
  /** Risk over coverage by the compiled model's integer margin and by the float teacher's confidence. */
  readonly compiled: Areas;
  readonly teacher: Areas;
}

const Outcome = z.record(z.string(), z.unknown());
const Evidence = z.object({
  looked: z.object({ alpha: z.number().gt(0).lt(1) }).optional(),
  samples: z
    .array(
      z.object({
        group: z.string(),
        margin: z.int().nonnegative(),
        confidence: z.object({ teacher: z.number() }),
        teacher: Outcome,
        compiled: Outcome,
      }),
    )
    .min(1),
});

/** How often a certification may promise a risk that is not kept; less where the data was looked at before. */
const DELTA = 0.05;

/**
 * Throws usage/risk-limit, evidence/none, evidence/margins, and gate/escalation where no threshold keeps the risk: System
 * 2 alone would exceed it.
 */
export function operatingPointOf(artifact: SealedArtifact, options: EscalationOptions): OperatingPoint {
  const { alpha, system2Error, system2Timeout } = options;
  const shares = [alpha, system2Error, system2Timeout];
  if (alpha <= 0 || !shares.every((share) => share >= 0 && share < 1)) {
    throw new CompileError("usage/risk-limit", "risks are shares: from 0 to less than 1, and --alpha above 0", {
      remedy: "optimus-compile escalate ARTIFACT --alpha 0.02 --system2-error 0.01 --system2-timeout 0.001",
    });
  }
  const section = artifact.sections.get("evidence");
  if (section === undefined) {
    throw new CompileError("evidence/none", "nobody has judged this artifact", {
      remedy: "Run `optimus-compile certify` on it.",
    });
  }
  const parsed = Evidence.safeParse(JSON.parse(new TextDecoder().decode(section)));
  if (!parsed.success) throw noMargins();
  const { looked, samples } = parsed.data;
  const decisions = samples.map(({ group, margin, compiled }) => ({ group, margin, loss: lossIn(compiled) }));
  const escalatedLoss = system2Timeout + (1 - system2Timeout) * system2Error;
  const limits = { alpha, delta: Math.min(DELTA, looked?.alpha ?? DELTA), escalatedLoss };
  const threshold = learnThreshold(decisions, limits);
  if (threshold === undefined) {
    const loss = `System 2 alone loses ${escalatedLoss}, more than ${alpha}`;
    throw new CompileError("gate/escalation", `no threshold keeps the risk: ${loss}`, {
      remedy: "Allow more risk, or escalate to something better.",
    });
  }
  const areas = (rows: Parameters<typeof curveOf>[0]): Areas => {
    const curve = curveOf(rows);
    const [least, equal] = [alpha, threshold.risk].map((risk) => leastEscalation(curve, risk, escalatedLoss));
    return {
      aurc: curve.aurc,
      augrc: curve.augrc,
      ...(least !== undefined && { escalationAtRisk: least }),
      ...(equal !== undefined && { escalationAtEqualRisk: equal }),
    };
  };
  const chipRisk = decisions.reduce((sum, { loss }) => sum + loss, 0) / decisions.length;
  const blind = blindEscalation(chipRisk, escalatedLoss, threshold.risk);
  return {
    ...threshold,
    ...limits,
    escalationLimits: escalationLimits(decisions, threshold, limits.delta),
    system2Error,
    system2Timeout,
    decisions: decisions.length,
    groups: new Set(decisions.map(({ group }) => group)).size,
    evidenceDigest: sha256(section),
    chipRisk,
    ...(blind !== undefined && { blindAtEqualRisk: blind }),
    compiled: areas(decisions.map(({ margin, loss }) => ({ confidence: margin, loss }))),
    teacher: areas(
      samples.map(({ confidence, teacher }) => ({ confidence: confidence.teacher, loss: lossIn(teacher) })),
    ),
  };
}

function lossIn(outcome: Readonly<Record<string, unknown>>): number {
  const loss = lossOf(outcome);
  if (loss === undefined || Number.isNaN(loss) || loss < 0) throw noMargins();
  return loss;
}

const noMargins = () =>
  new CompileError("evidence/margins", "the evidence does not hold a margin and a loss for every sample", {
    where: "section evidence",
    remedy: "Build again with `confidence: margin` and the metric accuracy or cer, and certify.",
  });

/**
 * The artifact with the operating point appended; of several the last counts. Only who signed the evidence may say what
 * follows from it: throws trust/wrong-key otherwise, and trust/evidence-swapped where the evidence is not what he signed.
 */
export async function attestOperatingPoint(
  artifact: SealedArtifact,
  point: OperatingPoint,
  key: KeyObject,
): Promise<Artifact> {
  const measured = openAll(artifact).filter(
    ({ statement, hint }) => statement.predicateType === METRICS && hint === fingerprint(key),
  );
  const last = measured.at(-1);
  if (last === undefined) {
    throw new CompileError("trust/wrong-key", "this key did not sign the evidence", {
      where: fingerprint(key),
      remedy: "Give the certifier's private key.",
    });
  }
  verifySignature(last.bundle, createPublicKey(key), "the certifier");
  const { subject, predicate } = last.statement;
  if (predicate.evidenceDigest !== point.evidenceDigest || `sha256:${subject[0].digest.sha256}` !== artifact.digest) {
    throw new CompileError("trust/evidence-swapped", "the evidence is not what the certifier signed", {
      where: "section evidence",
      remedy: "Certify again: nothing can be learned from this.",
    });
  }
  const json = toJson(point) as { [name: string]: Json };
  const bundle = (await signStatement(makeStatement(artifact.digest, OPERATING_POINT, json), key)) as unknown as Json;
  // The same claim may stand there once: the newer takes the older's place, at the end.
  const claimed = payloadOf(bundle);
  const others = (attestationsOf(artifact) as Json[]).filter((other) => payloadOf(other) !== claimed);
  const bundles = [...others, bundle];
  return {
    manifest: artifact.manifest,
    sections: new Map(artifact.sections).set("attestations", canonicalBytes(bundles)),
  };
}

/** What a bundle claims, and by which key. */
function payloadOf(bundle: Json): string {
  const { hint, payload } = openBundle(bundle);
  return `${hint} ${sha256(payload)}`;
}

const share = z.number().min(0).max(1);
const leastAtRisk = z.object({ escalationAtEqualRisk: share.optional() });
const Said = z.object({
  margin: z.int().nonnegative().nullable(),
  escalationRate: share,
  /** Not in points of older versions. */
  escalationLimits: z.object({ upper: share }).optional(),
  risk: share,
  alpha: share,
  delta: share,
  escalatedLoss: share,
  evidenceDigest: z.string(),
  compiled: leastAtRisk,
  teacher: leastAtRisk,
});

/**
 * The newest operating point about the very evidence that the artifact has, or a sentence why there is none. Throws as
 * `signedOperatingPoint` does.
 * @param certifier `anybody`: the newest of whoever signed, unchecked
 */
export function readOperatingPoint(
  artifact: SealedArtifact,
  certifier: KeyObject | "anybody",
): z.infer<typeof Said> | string {
  const said = certifier === "anybody" ? anybodysPoint(artifact) : signedOperatingPoint(artifact, certifier);
  if (typeof said === "string") return said;
  if (said === undefined) return "no operating point was certified: `optimus-compile escalate` learns one";
  const parsed = Said.safeParse(said);
  if (!parsed.success) return "the operating point is of another version: learn it again";
  const section = artifact.sections.get("evidence");
  if (section !== undefined && parsed.data.evidenceDigest === sha256(section)) return parsed.data;
  return "the operating point was learned from other evidence: learn it again";
}

/** Who looks at no signature is not stopped by claims that cannot be read. */
function anybodysPoint(artifact: SealedArtifact): { readonly [name: string]: unknown } | string | undefined {
  try {
    return newestOf(openAll(artifact))?.statement.predicate;
  } catch (error) {
    if (error instanceof CompileError) return `what is claimed cannot be read: ${error.message}`;
    throw error;
  }
}

/** How much is escalated, and at most, for the gate; a sentence where nobody can say. Throws as `readOperatingPoint` does. */
export function escalationOf(
  artifact: SealedArtifact,
  certifier: KeyObject | "anybody",
): { readonly rate: number; readonly upper: number } | string {
  const point = readOperatingPoint(artifact, certifier);
  if (typeof point === "string") return point;
  const { escalationRate: rate, escalationLimits } = point;
  return escalationLimits
    ? { rate, upper: escalationLimits.upper }
    : "the operating point does not say how much is escalated at most: learn it again";
}

const newestOf = (opened: readonly ReturnType<typeof openBundle>[]) =>
  opened.filter(({ statement }) => statement.predicateType === OPERATING_POINT).at(-1);

/** What the certifier's newest operating point says, once its signature is believed; undefined where there is none. */
export function signedOperatingPoint(
  artifact: SealedArtifact,
  certifier: KeyObject,
): { readonly [name: string]: unknown } | undefined {
  const own = attestationsOf(artifact).map(openBundle);
  const last = newestOf(own.filter(({ hint }) => hint === fingerprint(certifier)));
  if (last === undefined) return undefined;
  verifySignature(last.bundle, certifier, "the certifier");
  if (`sha256:${last.statement.subject[0].digest.sha256}` === artifact.digest) return last.statement.predicate;
  throw new CompileError("trust/wrong-subject", "the operating point is of another artifact", {
    where: artifact.digest,
    remedy: "Do not trust this artifact.",
  });
}

/** The point in plain words. */
export function sayOperatingPoint({ margin, alpha, escalationRate }: { readonly [key: string]: unknown }): string {
  const kept = margin === null ? "none" : `those of margin ${String(margin)} or more`;
  return `says which decisions may stay on the chip: ${kept}; ${String(escalationRate)} of all go to System 2, and the risk is at most ${String(alpha)}`;
}
