/** What a report shows, as plain data: JSON, no handles, nothing that a section would have to compute from raw samples. */
import type { SearchRecord } from "../../artifact/lineage.ts";
import type { Chance } from "../../evidence/chance.ts";
import type { Interval, Slice } from "../../evidence/evaluate.ts";
import type { GateResult, Verdict } from "../../evidence/gates.ts";

export interface ReportModel {
  /** The recipe's. */
  readonly name: string;
  /** The file's, without its folder. */
  readonly artifact: string;
  readonly digest: string;
  /** Absent: nobody certified it. */
  readonly verdict?: Verdict;
  readonly trust: Trust;
  readonly target: { readonly name: string; readonly profile: string };
  readonly gates: readonly GateLine[];
  readonly accuracy?: AccuracyModel;
  readonly cost?: Cost;
  /** This artifact first, then the baselines. */
  readonly points: readonly Point[];
  /** Where formats were chosen for a goal. */
  readonly search?: SearchRecord;
  readonly chip: ChipModel | Absent;
  readonly layers: LayersModel | Absent;
  readonly risk: RiskModel | Absent;
  readonly calibration: CalibrationModel | Absent;
  readonly lineage: LineageModel;
  readonly advice: readonly Advice[];
}

/** What a page holds at most, so that it stays below 3 MB and opens at once whatever the model; `trace` in base64. */
export const MOST = { layers: 1200, spans: 6000, buffers: 1500, trace: 900_000 };

/** Why there is nothing to show, in a sentence. */
export interface Absent {
  readonly absent: string;
}

export const isAbsent = (value: object): value is Absent => "absent" in value;

export interface Trust {
  readonly state: "verified" | "unverified" | "unsigned";
  readonly says: string;
}

export interface GateLine extends Omit<GateResult, "reason" | "gate"> {
  readonly gate: string;
  /** What the gate is about. */
  readonly says: string;
  readonly reason: string;
  readonly keeps: "at most" | "at least";
}

export interface AccuracyModel {
  readonly metric: string;
  readonly direction: "higher" | "lower";
  readonly teacher: number;
  readonly compiled: number;
  /** Positive where the compiled model is worse. */
  readonly drop: number;
  readonly n: number;
  readonly groups: number;
  readonly agreement: number;
  readonly interval?: Pick<Interval, "low" | "high">;
  /** Of the compiled model's metric, one-sided each. */
  readonly metricLimits?: { readonly lower: number; readonly upper: number };
  readonly chance?: Chance;
  readonly flips?: { readonly flipped: number; readonly harmful: number; readonly harmfulAtMost?: number };
  readonly divergence?: number;
  readonly source?: string;
  /** Worst first. */
  readonly slices: readonly SliceLine[];
}

export type SliceLine = Pick<Slice, "key" | "value" | "n" | "teacher" | "compiled" | "drop"> & {
  readonly groups?: number;
  readonly limits?: { readonly lower: number; readonly upper: number };
};

export interface Cost {
  readonly cycles: number;
  readonly ms: number;
  readonly floorCycles?: number;
  readonly efficiency?: number;
  readonly clockGHz?: number;
  readonly capped?: string;
  readonly sramPeakBytes: number;
  readonly weightBytes: number;
  readonly dramBytes: number;
  readonly artifactBytes?: number;
  readonly mJ?: { readonly low: number; readonly mid: number; readonly high: number };
}

export interface Point {
  readonly name: string;
  readonly ms: number;
  readonly metric: number;
  readonly low?: number;
  readonly high?: number;
  /** Why it cannot be compared directly. */
  readonly caution?: string;
}

/** A command as the timeline draws it: track, start and length in cycles, index of its layer, whether the run waits for it. */
export type Span = readonly [track: number, start: number, length: number, layer: number, critical: 0 | 1];

export interface ChipModel {
  readonly cycles: number;
  readonly clockGHz: number;
  readonly tracks: readonly string[];
  readonly layers: readonly string[];
  readonly spans: readonly Span[];
  /** How many commands the spans stand for; more than spans where neighbours were drawn as one. */
  readonly commands: number;
  /** Cycles of each track's engine at work, in the order of tracks. */
  readonly busy: readonly number[];
  /** gzip of the Perfetto trace, base64; absent where it would be too large. */
  readonly trace?: string;
  readonly sram: readonly SramMap[];
}

export interface SramMap {
  readonly npu: number;
  readonly bytes: number;
  readonly peakBytes: number;
  readonly buffers: readonly {
    readonly name: string;
    readonly address: number;
    readonly bytes: number;
    readonly start: number;
    readonly end: number;
  }[];
  readonly left: number;
}

export interface LayersModel {
  readonly cycles: number;
  /** In the order in which they run. */
  readonly layers: readonly LayerLine[];
  readonly left: number;
  /** What the cycles of the run are for, the most first. */
  readonly limits: readonly { readonly limit: string; readonly cycles: number }[];
  readonly whatIf: readonly { readonly what: string; readonly gain: number }[];
  /** Why there are no errors by layer. */
  readonly noErrors?: string;
}

export interface LayerLine {
  /** The teacher's nodes. */
  readonly nodes: readonly string[];
  readonly op: string;
  readonly cycles: number;
  readonly share: number;
  readonly boundBy: string;
  readonly macs: number;
  readonly utilization: number;
  readonly dramBytes: number;
  /** Signal over error against the teacher's own values, in decibels. */
  readonly sqnr?: number;
  /** Places of the layers whose results it reads. */
  readonly reads: readonly number[];
  readonly help?: { readonly what: string; readonly gain: number };
}

/** The node that a layer is called by: the one that does its work, where its name tells. */
export function leadOf({ nodes, op }: LayerLine): string {
  return nodes.find((name) => op !== "" && name.toLowerCase().includes(op.toLowerCase())) ?? nodes[0];
}

export interface RiskModel {
  /** Share of answers kept (surest first) → mean loss of those kept. */
  readonly compiled: readonly RiskPoint[];
  readonly teacher: readonly RiskPoint[];
  readonly aurc: { readonly compiled: number; readonly teacher: number };
  readonly augrc: { readonly compiled: number; readonly teacher: number };
  /** What the compiled model's confidence is: the integer margin that its program gives, or what its outputs say. */
  readonly by: "margin" | "outputs";
  /** What a loss is. */
  readonly loss: string;
  readonly n: number;
  /** Absent where nobody was asked for one. */
  readonly point?: OperatingPointModel | Absent;
}

/** Where escalation was certified: of `margin` and more stays on the chip. */
export interface OperatingPointModel {
  readonly margin: number | null;
  readonly escalationRate: number;
  readonly escalationAtMost?: number;
  /** Of both systems together: on the data, what was promised, and how often the promise may err. */
  readonly risk: number;
  readonly alpha: number;
  readonly delta: number;
  /** Plug-in: the least share that would be escalated for this `risk`. */
  readonly atRisk: { readonly compiled?: number; readonly teacher?: number };
}

export interface RiskPoint {
  readonly coverage: number;
  readonly risk: number;
}

export interface CalibrationModel {
  readonly before: number;
  readonly after: number;
  readonly bins?: { readonly teacher: readonly Bin[]; readonly compiled: readonly Bin[] };
}

export interface Bin {
  readonly probability: number;
  readonly right: number;
  readonly count: number;
}

export interface LineageModel {
  readonly compiler: string;
  readonly recipe: Named;
  readonly teacher: Named;
  readonly target: Named;
  readonly data: readonly (Named & { readonly samples: number; readonly use: string })[];
  readonly passes: readonly { readonly name: string; readonly before: number; readonly after: number }[];
  readonly signers: readonly { readonly who: string; readonly key: string; readonly about: string }[];
  readonly look?: { readonly look: number; readonly alpha: number };
  readonly checked?: string;
  readonly licenses: { readonly teacher: string; readonly data: string };
  /** Within which the build's float arithmetic comes out the same. */
  readonly numerics?: string;
}

export interface Named {
  readonly name: string;
  readonly digest: string;
}

export interface Advice {
  readonly title: string;
  readonly says: string;
}
