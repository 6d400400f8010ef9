/**
 * Gates: limits that a build must keep. Each compares one measured figure with one number; a figure that is missing or
 * not a number never passes. Figures that samples gave are not taken at their word: what counts is the limit of what they
 * can be, given how few samples there were. All gates must pass, each at its own alpha (intersection-union test: Berger
 * 1982), so nothing is divided among them.
 */
import type { Evaluation, Slice } from "./evaluate.ts";

/** The measured figures, in the shape and under the names that the build's JSON document has them. */
export interface Measured {
  readonly accuracy?: Omit<Evaluation, "slices">;
  /** The slices whose keys the recipe names. */
  readonly slices?: readonly Slice[];
  readonly latency?: { readonly cycles: number; readonly ms: number; readonly efficiency: number };
  readonly memory?: {
    readonly sramPeakBytes: number;
    readonly weightBytes: number;
    readonly dramBytesPerInference: number;
  };
  readonly energy?: { readonly mJ: { readonly low: number; readonly mid: number; readonly high: number } };
  readonly floatTensors?: number;
  readonly artifactBytes?: number;
  /** Of the certified operating point: the share of decisions that go to System 2, or why nobody knows it. */
  readonly escalation?: { readonly rate: number; readonly upper: number } | string;
}

interface GateKind {
  /** One sentence for the schema, the docs and the report. */
  readonly says: string;
  readonly keeps: "at most" | "at least";
  readonly value: (measured: Measured) => number | undefined;
  /** The least favourable value that the samples do not exclude; only of figures that samples gave. */
  readonly shown?: (measured: Measured) => number | undefined;
  /** Whom the figure is of. */
  readonly where?: (measured: Measured) => string | undefined;
  /** Why there is no value, where that is known. */
  readonly missing?: (measured: Measured) => string | undefined;
}

/** The slice that may be worst: the largest limit, and a slice without limits before all. */
function worstSlice({ slices = [] }: Measured): Slice | undefined {
  const rank = ({ limits }: Slice) => limits?.upper ?? Number.POSITIVE_INFINITY;
  return slices.reduce<Slice | undefined>(
    (worst, slice) => (worst === undefined || rank(slice) > rank(worst) ? slice : worst),
    undefined,
  );
}

/** The largest drop that was seen in any slice: a gate that one slice breaks is broken. */
function largestSliceDrop({ slices = [] }: Measured): number | undefined {
  return slices.length === 0 ? undefined : slices.reduce((most, { drop }) => Math.max(most, drop), -Infinity);
}

export const GATES = {
  maxDrop: {
    says: "how much worse than the teacher the compiled model may be on the metric, in the metric's own units",
    keeps: "at most",
    value: ({ accuracy }) => accuracy?.drop,
    shown: ({ accuracy }) => accuracy?.limits?.upper,
  },
  maxSliceDrop: {
    says: "the drop in the worst of the slices that the recipe names",
    keeps: "at most",
    value: largestSliceDrop,
    shown: (measured) => worstSlice(measured)?.limits?.upper,
    where: (measured) => {
      const worst = worstSlice(measured);
      return worst && `${worst.key} = ${worst.value}, ${worst.n} samples`;
    },
  },
  minMetric: {
    says: "the compiled model's metric, for metrics where higher is better",
    keeps: "at least",
    value: ({ accuracy }) => accuracy?.compiled,
    shown: ({ accuracy }) => accuracy?.metricLimits?.lower,
  },
  maxMetric: {
    says: "the compiled model's metric, for metrics where lower is better",
    keeps: "at most",
    value: ({ accuracy }) => accuracy?.compiled,
    shown: ({ accuracy }) => accuracy?.metricLimits?.upper,
  },
  minAgreement: {
    says: "the share of answers that are the teacher's",
    keeps: "at least",
    value: ({ accuracy }) => accuracy?.agreement,
    shown: ({ accuracy }) => accuracy?.agreementLimits.lower,
  },
  maxHarmfulFlips: {
    says: "the share of samples where the compiled model's answer is worse than the teacher's",
    keeps: "at most",
    value: ({ accuracy }) => accuracy?.flips.share.estimate,
    shown: ({ accuracy }) => accuracy?.flips.share.upper,
  },
  minSamples: {
    says: "how many samples the evidence is made of",
    keeps: "at least",
    value: ({ accuracy }) => accuracy?.n,
  },
  maxMs: {
    says: "milliseconds of one inference on the target, as emulated",
    keeps: "at most",
    value: ({ latency }) => latency?.ms,
  },
  maxCycles: {
    says: "cycles of one inference on the target, as emulated",
    keeps: "at most",
    value: ({ latency }) => latency?.cycles,
  },
  minEfficiency: {
    says: "the share of the hardware floor that is reached",
    keeps: "at least",
    value: ({ latency }) => latency?.efficiency,
  },
  maxSramBytes: {
    says: "bytes of SRAM in use at the peak, per NPU",
    keeps: "at most",
    value: ({ memory }) => memory?.sramPeakBytes,
  },
  maxWeightBytes: {
    says: "bytes of weights and scales",
    keeps: "at most",
    value: ({ memory }) => memory?.weightBytes,
  },
  maxDramBytes: {
    says: "bytes moved from and to DRAM in one inference",
    keeps: "at most",
    value: ({ memory }) => memory?.dramBytesPerInference,
  },
  maxArtifactBytes: { says: "bytes of the artifact", keeps: "at most", value: ({ artifactBytes }) => artifactBytes },
  maxMillijoules: {
    says: "millijoules of one inference, by the middle estimate",
    keeps: "at most",
    value: ({ energy }) => energy?.mJ.mid,
  },
  maxFloatTensors: {
    says: "tensors that the program computes in floating point",
    keeps: "at most",
    value: ({ floatTensors }) => floatTensors,
  },
  maxEscalationRate: {
    says: "the share of decisions that are handed to System 2, by the certified operating point",
    keeps: "at most",
    value: ({ escalation }) => (typeof escalation === "object" ? escalation.rate : undefined),
    shown: ({ escalation }) => (typeof escalation === "object" ? escalation.upper : undefined),
    missing: ({ escalation }) => (typeof escalation === "string" ? escalation : undefined),
  },
} as const satisfies Readonly<Record<string, GateKind>>;

export type GateName = keyof typeof GATES;
export type Gates = Readonly<Partial<Record<GateName, number>>>;
export type Verdict = "pass" | "fail" | "incomplete";

export interface GateResult {
  readonly gate: GateName;
  readonly limit: number;
  readonly value: number | undefined;
  /** Of figures from samples: the least favourable value that they do not exclude. */
  readonly shown?: number;
  readonly where?: string;
  readonly verdict: Verdict;
  /** A sentence with the figures. */
  readonly reason: string;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly gates: readonly GateResult[];
}

/** A gate that failed decides; then one without evidence; only then is it a pass. Without gates there is nothing to fail. */
export function judge(gates: Gates, measured: Measured): Judgement {
  const results = (Object.entries(gates) as [GateName, number | undefined][])
    .filter((entry): entry is [GateName, number] => entry[1] !== undefined)
    .map(([gate, limit]) => judgeOne(gate, limit, measured));
  const has = (verdict: Verdict): boolean => results.some((result) => result.verdict === verdict);
  return { verdict: has("fail") ? "fail" : has("incomplete") ? "incomplete" : "pass", gates: results };
}

/** 0.9295 − 0.9245 is a little more than 0.005 in binary: differences of this size are no evidence of anything. */
const SLACK = 1e-12;

function judgeOne(gate: GateName, limit: number, measured: Measured): GateResult {
  const kind: GateKind = GATES[gate];
  const { keeps, says } = kind;
  const value = kind.value(measured);
  const where = kind.where?.(measured);
  const result = { gate, limit, value, ...(where !== undefined && { where }) };
  if (value === undefined || Number.isNaN(value) || Number.isNaN(limit)) {
    const reason = kind.missing?.(measured) ?? `nothing was measured for ${gate} (${says})`;
    return { ...result, verdict: "incomplete", reason };
  }
  const slack = SLACK * Math.max(1, Math.abs(limit));
  const kept = (figure: number) => (keeps === "at most" ? figure <= limit + slack : figure >= limit - slack);
  if (!kept(value)) return { ...result, verdict: "fail", reason: `${short(value)} is not ${keeps} ${short(limit)}` };
  if (kind.shown === undefined) {
    return { ...result, verdict: "pass", reason: `${short(value)} is ${keeps} ${short(limit)}` };
  }
  const shown = kind.shown(measured);
  if (shown === undefined || Number.isNaN(shown)) {
    const reason = `${short(value)} was measured, in too few groups to say anything of others`;
    return { ...result, verdict: "incomplete", reason };
  }
  return kept(shown)
    ? {
        ...result,
        shown,
        verdict: "pass",
        reason: `${short(value)}, and ${short(shown)} at worst, is ${keeps} ${short(limit)}`,
      }
    : {
        ...result,
        shown,
        verdict: "incomplete",
        reason: `${short(value)} was measured, but ${short(shown)} is not excluded, which is not ${keeps} ${short(limit)}`,
      };
}

/** Six significant digits, without an exponent for integers. */
const short = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
