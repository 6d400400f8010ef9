/**
 * What the chip runs. A Program holds no graph: commands on views of two byte arrays (SRAM per NPU, DRAM), each with
 * all integers that it needs. Its bytes (`encode.ts`, `src/emulate/decode.ts`) are what is sealed and executed.
 *
 * Order: an engine executes its own commands in program order, one at a time. Between engines nothing is ordered but by
 * `waits`: a command starts when every command that it waits for has ended. Waits name earlier commands only, so the
 * program order itself is a legal execution.
 */
import type { Multipliers, Operand, Post, Space, Storage, WeightOperand } from "./operand.ts";

export type { Multipliers, Operand, Post, PostTable, Round, Space, Storage, WeightOperand } from "./operand.ts";
export { STORAGE_BYTES } from "./operand.ts";

/** What executes a command. */
export type Engine = "array" | "vector" | "dma-in" | "dma-out" | "cpu";

interface Common {
  readonly engine: Engine;
  readonly npu: number;
  /** Commands of other engines that must have ended: indices into the entry's commands, ascending. */
  readonly waits: readonly number[];
  /** The teacher's nodes that this work is for. */
  readonly origin: readonly string[];
}

/**
 * Copies bytes DRAM → SRAM (`dma-read`) or SRAM → DRAM (`dma-write`). Equal shapes and types. NPUs exchange data in no
 * other way.
 */
export interface DmaCommand extends Common {
  readonly kind: "dma-read" | "dma-write";
  readonly from: Operand;
  readonly to: Operand;
  /**
   * `dma-read` only: the NPUs, ascending, whose SRAM receives the same bytes at the same address; absent: the command's
   * own. The DRAM is read once, by the command's own engine.
   */
  readonly npus?: readonly number[];
}

/** How a convolution lies on the array (`column`: one column at a time; `toeplitz`: block-Toeplitz) or off it. */
export type ConvMapping = "dense" | "column" | "toeplitz" | "vector";

/**
 * x [N,C,H,W], w [O,C/g,kh,kw], y [N,O,OH,OW]; always two spatial axes. A tile has its own pads, since rows that the
 * tensor has but the tile needs not are left out; padding contributes 0.
 */
export interface ConvCommand extends Common {
  readonly kind: "conv";
  readonly x: Operand;
  readonly w: WeightOperand;
  /** Of weights of 4 bits; absent: 1. */
  readonly multipliers?: Multipliers;
  readonly bias?: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly strides: readonly [number, number];
  /** top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
  readonly mapping: ConvMapping;
  /** `toeplitz`: outputs of one row that lie side by side on the columns. Otherwise 1. */
  readonly block: number;
  readonly post: Post;
}

/** x [N,C,H,W], w [C,O/g,kh,kw], y [N,O,OH,OW]. Cell (i,k) adds to output i·stride + k·dilation − pad; pads may be negative. */
export interface DeconvCommand extends Common {
  readonly kind: "deconv";
  readonly x: Operand;
  readonly w: WeightOperand;
  /** Of weights of 4 bits; absent: 1. */
  readonly multipliers?: Multipliers;
  readonly bias?: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly strides: readonly [number, number];
  /** top, left. */
  readonly pads: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
  readonly post: Post;
}

/** a [B…,M,K], b [B…,K,N], y [B…,M,N]: equal ranks, batch axes broadcast by stride 0. Channel: the last axis of y. */
export interface MatMulCommand extends Common {
  readonly kind: "matmul";
  readonly a: Operand;
  readonly b: WeightOperand;
  /** Of weights of 4 bits; absent: 1. */
  readonly multipliers?: Multipliers;
  readonly bias?: Operand;
  readonly y: Operand;
  readonly aZero: number;
  readonly bZero: number;
  readonly normalise: boolean;
  readonly post: Post;
}

/** Shapes of a, b and y are equal; broadcasting is stride 0. `max` and `min` have no post stage. */
export interface EltwiseCommand extends Common {
  readonly kind: "eltwise";
  readonly operation: "add" | "mul" | "max" | "min";
  readonly a: Operand;
  readonly b: Operand;
  readonly y: Operand;
  readonly aZero: number;
  readonly bZero: number;
  /** 1 unless `add`. */
  readonly aMultiplier: number;
  readonly bMultiplier: number;
  readonly post?: Post;
}

/** y = post(x − xZero), element by element. */
export interface ScaleCommand extends Common {
  readonly kind: "scale";
  readonly x: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly post: Post;
}

/** int8 x: table[x + 128] (256 entries); int16 x: the interpolated table (513 entries). */
export interface TableCommand extends Common {
  readonly kind: "table";
  readonly x: Operand;
  readonly table: Operand;
  readonly y: Operand;
}

/** x [N,C,H,W], y [N,C,OH,OW]. Average: multiplier and shift are indexed by (cells counted − 1). */
export interface PoolCommand extends Common {
  readonly kind: "pool";
  readonly operation: "max" | "average";
  readonly x: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly countIncludePad: boolean;
  readonly post?: Post;
}

/** x [kept…, reduced…], y [kept…]: the last `x.rank − y.rank` axes go. `sum` and `l2` have a post stage; a margin's y is int16. */
export interface ReduceCommand extends Common {
  readonly kind: "reduce";
  readonly operation: "sum" | "max" | "min" | "l2" | "margin" | "ctc-margin";
  readonly x: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly post?: Post;
}

/** Over the last axis. Table int32[256] for int8 x, int32[512] for int16. */
export interface SoftmaxCommand extends Common {
  readonly kind: "softmax";
  readonly x: Operand;
  readonly table: Operand;
  readonly y: Operand;
  readonly normalised: boolean;
}

/** LayerNorm (`center`) or RMSNorm over the last `axes` axes; gamma and beta have just these axes. */
export interface NormCommand extends Common {
  readonly kind: "norm";
  readonly x: Operand;
  readonly gamma: Operand;
  readonly beta: Operand;
  readonly y: Operand;
  readonly xZero: number;
  readonly axes: number;
  readonly center: boolean;
  readonly epsilon: number;
  readonly post: Post;
}

/** y = x, element by element, saturating where the types differ. Transposes, slices and paddings are strides. */
export interface MoveCommand extends Common {
  readonly kind: "move";
  readonly x: Operand;
  readonly y: Operand;
}

/**
 * Codes of 4 bits, two a byte along the last axis, the low half first. `pack`: x int8 [..., 2n], clamped to [−8, 7], to y uint8
 * [..., n]. `unpack`: x uint8 [..., n] to y int8 [..., 2n].
 */
export interface NibbleCommand extends Common {
  readonly kind: "pack" | "unpack";
  readonly x: Operand;
  readonly y: Operand;
}

/** y = value everywhere. */
export interface FillCommand extends Common {
  readonly kind: "fill";
  readonly y: Operand;
  readonly value: number;
}

/** x [A,D,B], indices [I], y [A,I,B]. x may lie in DRAM: then the DMA engine fetches the rows. */
export interface GatherCommand extends Common {
  readonly kind: "gather";
  readonly x: Operand;
  readonly indices: Operand;
  readonly y: Operand;
}

/**
 * Rows into a part of a longer axis, the rest of which stays as it is. x [N,A,I,B], indices [N], y [N,A,D,B]: row i of
 * batch n becomes row indices[n] + i, modulo D if `circular`; otherwise the index is clamped so that all rows fit. y may
 * lie in DRAM, then the DMA engine writes the rows.
 */
export interface ScatterCommand extends Common {
  readonly kind: "scatter";
  readonly x: Operand;
  readonly indices: Operand;
  readonly y: Operand;
  readonly circular: boolean;
}

/** A node on the host: `text` is its graph in the one notation; inputs and outputs lie in DRAM, in the graph's order. */
export interface CpuCommand extends Common {
  readonly kind: "cpu";
  readonly text: string;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

/** The end of an entry: raises the interrupt when every engine has drained. */
export interface StopCommand extends Common {
  readonly kind: "stop";
}

export type Command =
  | DmaCommand
  | ConvCommand
  | DeconvCommand
  | MatMulCommand
  | EltwiseCommand
  | ScaleCommand
  | TableCommand
  | PoolCommand
  | ReduceCommand
  | SoftmaxCommand
  | NormCommand
  | MoveCommand
  | NibbleCommand
  | FillCommand
  | GatherCommand
  | ScatterCommand
  | CpuCommand
  | StopCommand;

export type CommandKind = Command["kind"];

/** Meaning of a port's codes: real = (code − zeroPoint) · scale. */
export interface PortQuant {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis?: number;
}

/** An input or output of an entry: contiguous in DRAM. */
export interface Port {
  readonly name: string;
  readonly dtype: Storage;
  readonly shape: readonly number[];
  readonly quant?: PortQuant;
  readonly address: number;
}

/** A buffer that outlives a run. `reset` fills it from the weights section. */
export interface StateBuffer {
  /** The graph input that reads it. */
  readonly input: string;
  /** The graph output whose codes it holds after a run. */
  readonly output: string;
  readonly dtype: Storage;
  readonly shape: readonly number[];
  readonly quant?: PortQuant;
  readonly address: number;
  /** Offset of the initial codes in the weights section. */
  readonly init: number;
}

/** One way in: a shape bucket, prefill or decode. Inputs fed by states are not among `inputs`. */
export interface Entry {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly commands: readonly Command[];
}

/** What lies where and when: commands `first`…`last` may touch it. */
export interface PlannedBuffer {
  readonly name: string;
  readonly space: Space;
  readonly npu: number;
  readonly address: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface EntryPlan {
  readonly name: string;
  readonly sramPeakBytes: number;
  /** Largest sum of bytes that live at once: no plan of these lifetimes can do with less. */
  readonly sramLowerBoundBytes: number;
  readonly buffers: readonly PlannedBuffer[];
}

export interface Program {
  readonly name: string;
  /** The target's name. The program runs on it without knowing more than the sizes here. */
  readonly target: string;
  readonly npus: number;
  /** SRAM of one NPU. */
  readonly sramBytes: number;
  /** All DRAM addresses are below. */
  readonly dramBytes: number;
  /** Of the weights section. */
  readonly weightBytes: number;
  /** Loaded at DRAM address 0 and never written. Made when it is first asked for: timing needs its size only. */
  readonly weights: Uint8Array;
  readonly states: readonly StateBuffer[];
  readonly entries: readonly Entry[];
  readonly plan: readonly EntryPlan[];
}

/** The Program as sealed. */
export interface Sections {
  readonly program: Uint8Array;
  readonly weights: Uint8Array;
  readonly plan: Uint8Array;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A command before the scheduler gave it its place: what it computes, and on which engine. */
export type CommandBody = Without<Command, "npu" | "waits" | "origin">;
