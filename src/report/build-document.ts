import type { SearchRecord } from "../artifact/lineage.ts";
import type { GateResult, Verdict } from "../evidence/gates.ts";

/** One pass's run, as `--json` has it. */
export interface PassLine {
  readonly name: string;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly ms: number;
}

export interface StageLine {
  readonly name: string;
  readonly ms: number;
  /** The largest resident memory of the whole process tree during the stage. */
  readonly peakRssBytes: number;
}

/** What `build --json` prints: metrics are fractions of 1, sizes bytes, times milliseconds. */
export interface BuildDocument {
  readonly schema: "optimus-compile/build@2";
  readonly artifact: string;
  readonly digest: string;
  readonly verdict: Verdict;
  readonly teacher: { readonly nodes: number; readonly parameters: number; readonly macs: number };
  readonly accuracy: Accuracy;
  readonly latency: Latency;
  readonly memory: Memory;
  readonly energy: { readonly mJ: { readonly low: number; readonly mid: number; readonly high: number } };
  /** Numbers of nodes. */
  readonly placement: { readonly npu: number; readonly vector: number; readonly cpu: number };
  readonly floatTensors: number;
  readonly int16Tensors: number;
  /** Activations of 4 bits. */
  readonly int4Tensors: number;
  readonly passes: readonly PassLine[];
  readonly stages: readonly StageLine[];
  /** Where the recipe has a goal: the plans that were looked at, and the one that was taken. */
  readonly search?: SearchRecord;
}

export interface Accuracy {
  readonly metric: string;
  readonly teacher: number;
  /** The integer program's own outputs on held-out data. */
  readonly compiled: number;
  /** Positive where the compiled model is worse. */
  readonly drop: number;
  readonly n: number;
  readonly agreement: number;
}

export interface Latency {
  readonly cycles: number;
  readonly ms: number;
  readonly rooflineCycles: number;
  readonly floorCycles: number;
  readonly efficiency: number;
  readonly clockGHz?: number;
  /** Where a power cap costs something, what it does. */
  readonly capped?: string;
}

export interface Memory {
  readonly sramPeakBytes: number;
  readonly weightBytes: number;
  readonly dramBytesPerInference: number;
}

/** What a person is told besides: it is not in the document, whose keys are fixed. */
export interface BuildNotes {
  readonly gates: readonly GateResult[];
  /** Fingerprints of the keys that signed. */
  readonly signatures: { readonly build?: string; readonly certifier?: string };
  /** Nodes on the CPU: `Softmax "name": why`. */
  readonly onCpu: readonly string[];
  /** What was not made again, since nothing that it depends on changed: passes, schedule, golden, outcomes of samples. */
  readonly kept: readonly string[];
  readonly teacherBytes: number;
  /** What the chip and whoever rebuilds it need. */
  readonly sealedBytes: number;
  /** With lineage, evidence and signatures. */
  readonly artifactBytes: number;
  readonly target: string;
  /** Of the drop, 95 %. */
  readonly interval?: { readonly low: number; readonly high: number };
}
