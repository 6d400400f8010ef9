/**
 * Gates: limits that a build must keep. Each compares one measured figure with one number; a figure that is missing or
 * not a number never passes.
 */

/** The measured figures, in the shape and under the names that the build's JSON document has them. */
export interface Measured {
  readonly accuracy?: {
    readonly metric: string;
    readonly teacher: number;
    readonly compiled: number;
    readonly drop: number;
    readonly n: number;
    readonly agreement: number;
  };
  readonly latency?: { readonly cycles: number; readonly ms: number; readonly efficiency: number };
  readonly memory?: {
    readonly sramPeakBytes: number;
    readonly weightBytes: number;
    readonly dramBytesPerInference: number;
  };
  readonly energy?: { readonly mJ: { readonly low: number; readonly mid: number; readonly high: number } };
  readonly floatTensors?: number;
  readonly artifactBytes?: number;
}

interface GateKind {
  /** One sentence for the schema, the docs and the report. */
  readonly says: string;
  readonly keeps: "at most" | "at least";
  readonly value: (measured: Measured) => number | undefined;
}

export const GATES = {
  maxDrop: {
    says: "how much worse than the teacher the compiled model may be on the metric, in the metric's own units",
    keeps: "at most",
    value: ({ accuracy }) => accuracy?.drop,
  },
  minMetric: {
    says: "the compiled model's metric, for metrics where higher is better",
    keeps: "at least",
    value: ({ accuracy }) => accuracy?.compiled,
  },
  maxMetric: {
    says: "the compiled model's metric, for metrics where lower is better",
    keeps: "at most",
    value: ({ accuracy }) => accuracy?.compiled,
  },
  minAgreement: {
    says: "the share of answers that are the teacher's",
    keeps: "at least",
    value: ({ accuracy }) => accuracy?.agreement,
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
    says: "the share of the hardware bound that is reached",
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
} as const satisfies Readonly<Record<string, GateKind>>;

export type GateName = keyof typeof GATES;
export type Gates = Readonly<Partial<Record<GateName, number>>>;
export type Verdict = "pass" | "fail" | "incomplete";

export interface GateResult {
  readonly gate: GateName;
  readonly limit: number;
  readonly value: number | undefined;
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
  if (value === undefined || Number.isNaN(value) || Number.isNaN(limit)) {
    return { gate, limit, value, verdict: "incomplete", reason: `nothing was measured for ${gate} (${says})` };
  }
  const slack = SLACK * Math.max(1, Math.abs(limit));
  const kept = keeps === "at most" ? value <= limit + slack : value >= limit - slack;
  const reason = kept
    ? `${short(value)} is ${keeps} ${short(limit)}`
    : `${short(value)} is not ${keeps} ${short(limit)}`;
  return { gate, limit, value, verdict: kept ? "pass" : "fail", reason };
}

/** Six significant digits, without an exponent for integers. */
const short = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
