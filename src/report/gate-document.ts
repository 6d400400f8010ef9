/** What a gate decided, in the shape that every reporter is made from and that `--reporter json` prints. */

export const GATE_SCHEMA = "optimus-compile/gate@1";

/** As a gate of evidence has it, and `waived`: it failed, and somebody who may answers for that until a day. */
export type GateVerdict = "pass" | "fail" | "incomplete" | "waived";

/** A line of a file, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface GateLine {
  /** `maxCycles`; with `baseline.` before it where the limit is relative to the baseline. */
  readonly gate: string;
  readonly verdict: GateVerdict;
  readonly limit: number;
  readonly value?: number;
  /** Of figures from samples: the least favourable value that they do not exclude. */
  readonly shown?: number;
  /** Exact figures against a baseline: the baseline's own. */
  readonly baseline?: number;
  /** A sentence with the figures. */
  readonly reason: string;
  /** Whom the figure is of: a slice. */
  readonly where?: string;
  /** Where the limit is written down; the artifact's file where it is the recipe's. */
  readonly place: Place;
  readonly waiver?: HonouredWaiver;
}

export interface HonouredWaiver {
  readonly until: string;
  readonly reason: string;
  /** Fingerprint of the key that signed it. */
  readonly by: string;
}

export interface ArtifactLine {
  readonly artifact: string;
  /** As the recipe calls it. */
  readonly name: string;
  readonly digest: string;
  /** Whether the evidence was checked against keys. */
  readonly verified: boolean;
  readonly baseline?: { readonly artifact: string; readonly digest: string };
  readonly verdict: Exclude<GateVerdict, "waived">;
  readonly gates: readonly GateLine[];
}

/** A waiver that was given and not used, and why. */
export interface RefusedWaiver {
  readonly file: string;
  readonly gate: string;
  readonly code: string;
  readonly says: string;
}

export interface GateDocument {
  readonly schema: typeof GATE_SCHEMA;
  readonly verdict: ArtifactLine["verdict"];
  /** The file that the limits stand in; absent where they are the recipe's, as the evidence has them. */
  readonly budgets?: { readonly file: string; readonly digest: string };
  readonly artifacts: readonly ArtifactLine[];
  /** Fingerprint of the key that signed each verdict into its artifact; absent where none was signed. */
  readonly attestedBy?: string;
  readonly refusedWaivers: readonly RefusedWaiver[];
}

/** A gate and the artifact that it judged. */
export interface Finding {
  readonly artifact: ArtifactLine;
  readonly line: GateLine;
}

const RANK: Readonly<Record<GateVerdict, number>> = { fail: 0, incomplete: 1, waived: 2, pass: 3 };

/** Everything that did not simply pass, the worst first: failures by how far they are from their limit. */
export function findingsOf({ artifacts }: GateDocument): Finding[] {
  const found = artifacts.flatMap((artifact) => artifact.gates.map((line): Finding => ({ artifact, line })));
  return found
    .filter(({ line }) => line.verdict !== "pass")
    .sort((a, b) => RANK[a.line.verdict] - RANK[b.line.verdict] || excess(b.line) - excess(a.line));
}

/** By how much of itself a limit is missed. */
function excess({ limit, value, shown }: GateLine): number {
  const figure = shown ?? value;
  return figure === undefined ? Number.POSITIVE_INFINITY : Math.abs(figure - limit) / Math.max(1e-12, Math.abs(limit));
}

/** One verdict of several: a failure decides, then missing evidence. */
export function worstVerdict(verdicts: readonly GateVerdict[]): ArtifactLine["verdict"] {
  return verdicts.includes("fail") ? "fail" : verdicts.includes("incomplete") ? "incomplete" : "pass";
}

/** `maxCycles of ocr-rec: 812000 is not at most 700000` */
export function sentenceOf({ artifact, line }: Finding): string {
  const where = line.where === undefined ? "" : ` (${line.where})`;
  const waived = line.waiver ? `; waived until ${line.waiver.until}: ${line.waiver.reason}` : "";
  return `${line.gate} of ${artifact.name}: ${line.reason}${where}${waived}`;
}
