import { bug } from "../error.ts";
import { intAttr, type Node, stringAttr } from "../ir/graph.ts";
import type { CommandBody, Engine, Operand, Post, Round } from "./program.ts";
import { type Box, elementsOf, type View } from "./view.ts";

/** An output axis that tiles may cut, into multiples of `quantum` (the last piece may be smaller). */
export interface Cut {
  readonly axis: number;
  readonly quantum: number;
}

/**
 * Work that makes (a part of) one tensor, tile by tile. Operands that do not lie in SRAM are staged there, unless
 * `direct`: then the command itself reads or writes DRAM.
 */
export interface TileJob {
  readonly kind: "tile";
  readonly engine: Engine;
  /** Who does it; 0 unless said otherwise. */
  readonly npu?: number;
  /** Loads only: the NPUs, ascending, that all get what is read. */
  readonly npus?: readonly number[];
  /** Parts of one layer on several NPUs: what they load alike is loaded once. */
  readonly team?: number;
  readonly name: string;
  readonly origin: readonly string[];
  readonly inputs: readonly (View | undefined)[];
  readonly output: View;
  /** The output's axis of channels, all of which most readers need for a pixel; the last one where absent. */
  readonly channelAxis?: number;
  /** Best first. */
  readonly cuts: readonly Cut[];
  /** Whether input or output lie in DRAM for good: loads, stores, gathers from large tables. */
  readonly direct?: { readonly input?: number; readonly output?: boolean };
  /** The boxes of the inputs that a box of the output is made from. */
  needs(box: Box): readonly (Box | undefined)[];
  /** Operands are those of the boxes. */
  command(box: Box, inputs: readonly (Operand | undefined)[], output: Operand): CommandBody;
}

/** A node on the host: whole tensors, in DRAM. */
export interface CpuJob {
  readonly kind: "cpu";
  readonly name: string;
  readonly origin: readonly string[];
  readonly inputs: readonly View[];
  readonly outputs: readonly View[];
  readonly text: string;
}

export type Job = TileJob | CpuJob;

/** The NPUs whose SRAM a job touches. */
export function npusOf(job: Job): readonly number[] {
  return job.kind === "cpu" ? [0] : (job.npus ?? [job.npu ?? 0]);
}

export function inputsOf(job: Job): readonly View[] {
  return job.inputs.flatMap((view) => (view === undefined ? [] : [view]));
}

export function outputsOf(job: Job): readonly View[] {
  return job.kind === "cpu" ? job.outputs : [job.output];
}

export function nameOf(node: Node): string {
  return node.origin[0] ?? node.outputs.find((name) => name !== "") ?? node.op;
}

/** An operand that a job cannot do without. */
export function required<T>(operand: T | undefined, what: string): T {
  return operand ?? bug(`the operand ${what} is missing`);
}

const RANGES: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["int8", [-128, 127]],
  ["uint8", [0, 255]],
  ["int16", [-32768, 32767]],
]);

/** How many inputs a post stage has: multiplier, shift, table, table_multiplier, table_shift. */
const POST_INPUTS = 5;
const TABLE = 2;

/** The inputs of a post stage that begin at `first`. */
export function postViews(views: readonly (View | undefined)[], first: number): (View | undefined)[] {
  return Array.from({ length: POST_INPUTS }, (_, at) => views[first + at]);
}

/** What a post stage (its views as of `postViews`) needs for some channels: all of the table, and the channels of the rest. */
export function postBoxes(post: readonly (View | undefined)[], start: number, size: number): (Box | undefined)[] {
  return post.map((view, at) => (at === TABLE ? allOf(view) : channelBox(view, start, size)));
}

/** The integers of a post stage; its operands begin at `first`. */
export function postOf(
  node: Node,
  operands: readonly (Operand | undefined)[],
  first: number,
  wide = intAttr(node, "wide", 0) === 1,
): Post {
  const [multiplier, shift, knots, tableMultiplier, tableShift] = operands.slice(first, first + POST_INPUTS);
  const [low, high] = RANGES.get(stringAttr(node, "y_dtype", "int8")) ?? bug("y_dtype is no activation type");
  return {
    multiplier: required(multiplier, "multiplier"),
    shift: required(shift, "shift"),
    ...(knots === undefined
      ? {}
      : {
          table: {
            knots,
            multiplier: required(tableMultiplier, "table_multiplier"),
            shift: required(tableShift, "table_shift"),
          },
        }),
    round: stringAttr(node, "round", "tosa-single") as Round,
    wide,
    yZero: intAttr(node, "y_zero", 0),
    yMin: intAttr(node, "y_min", low),
    yMax: intAttr(node, "y_max", high),
  };
}

/** The part of a per-channel constant (one element, or one a channel along its only long axis) for some channels. */
export function channelBox(view: View | undefined, start: number, size: number): Box | undefined {
  if (view === undefined) return undefined;
  const { shape } = view;
  if (elementsOf(shape) === 1) return { start: shape.map(() => 0), size: shape };
  const axis = shape.findIndex((length) => length > 1);
  return {
    start: shape.map((_, at) => (at === axis ? start : 0)),
    size: shape.map((length, at) => (at === axis ? size : length)),
  };
}

/** All of a constant. */
export function allOf(view: View | undefined): Box | undefined {
  return view && { start: view.shape.map(() => 0), size: view.shape };
}

/** The rows that outputs [start, start + size) read through a window: clipped to the input, with the padding that is left. */
export function windowRange(
  start: number,
  size: number,
  window: { readonly stride: number; readonly pad: number; readonly reach: number; readonly length: number },
): { first: number; count: number; before: number; after: number } {
  const low = start * window.stride - window.pad;
  const high = (start + size - 1) * window.stride - window.pad + window.reach;
  const first = Math.min(Math.max(low, 0), window.length - 1);
  const last = Math.max(Math.min(high, window.length), first + 1);
  return { first, count: last - first, before: first - low, after: high - last };
}
