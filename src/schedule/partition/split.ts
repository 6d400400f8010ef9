/** A job cut into one part an NPU. */
import { engineCycles } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { sizedCommand } from "../grid-facts.ts";
import type { TileJob } from "../job.ts";
import { STORAGE_BYTES } from "../program.ts";
import { type Box, boxView, bytesOfBox, coverOf, elementsOf, type Root, type View, wholeBox } from "../view.ts";

/** What each NPU makes of a job's output; undefined: nothing. Parts are disjoint, or all of them the whole. */
export interface Split {
  readonly windows: readonly (Box | undefined)[];
  /** By NPU: the part of the output's root that it makes. */
  readonly made: readonly (Box | undefined)[];
  /** By input and NPU: the part of the input's root that it reads. */
  readonly read: readonly (readonly (Box | undefined)[])[];
  /** Engine cycles of the slowest part. */
  readonly cycles: number;
  /** Bytes of constants, inputs and states, those that several NPUs need alike once. */
  readonly fetchedBytes: number;
}

/** Equal shares of `length` in multiples of `quantum`, the larger ones first. */
function sharesOf(length: number, quantum: number, npus: number): { start: number; size: number }[] {
  const count = Math.ceil(length / quantum);
  const shares: { start: number; size: number }[] = [];
  let start = 0;
  for (let npu = 0; npu < npus && start < length; npu++) {
    const pieces = Math.floor(count / npus) + (npu < count % npus ? 1 : 0);
    const size = Math.min(pieces * quantum, length - start);
    if (size > 0) shares.push({ start, size });
    start += size;
  }
  return shares;
}

function windowsAlong(job: TileJob, axis: number, quantum: number, npus: number): (Box | undefined)[] {
  const whole = wholeBox(job.output.shape);
  const shares = sharesOf(job.output.shape[axis], quantum, npus);
  return Array.from({ length: npus }, (_, npu) => {
    const share = shares[npu];
    if (share === undefined) return undefined;
    return {
      start: whole.start.map((at, index) => (index === axis ? share.start : at)),
      size: whole.size.map((size, index) => (index === axis ? share.size : size)),
    };
  });
}

export function sameParts(a: Box | undefined, b: Box | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.start.every((start, axis) => start === b.start[axis] && a.size[axis] === b.size[axis]);
}

/** Undefined where a part of the output is no box of its root: nobody could say what is whose. */
function splitOf(job: TileJob, windows: readonly (Box | undefined)[], target: Target): Split | undefined {
  const made: (Box | undefined)[] = [];
  const needs: (readonly (Box | undefined)[] | undefined)[] = [];
  let cycles = 0;
  const known = new Map<string, number>();
  for (const window of windows) {
    if (window === undefined) {
      made.push(undefined);
      needs.push(undefined);
      continue;
    }
    const part = coverOf(boxView(job.output, window));
    if (elementsOf(part.size) !== elementsOf(window.size)) return undefined;
    made.push(part);
    needs.push(job.needs(window));
    const key = String(window.size);
    const own = known.get(key) ?? engineCycles(sizedCommand(job, window), target);
    known.set(key, own);
    cycles = Math.max(cycles, own);
  }
  let fetchedBytes = 0;
  const read = job.inputs.map((view, index) => {
    const boxes = needs.map((list) => list?.[index]);
    if (view && view.root.kind !== "computed") {
      boxes.forEach((box, npu) => {
        const first = boxes.findIndex((other) => sameParts(other, box));
        if (box && first === npu) fetchedBytes += bytesOfBox(view.root.dtype, box);
      });
    }
    if (view?.root.kind === "constant") return [];
    return boxes.map((box) => (view && box ? coverOf(boxView(view, box)) : undefined));
  });
  return { windows, made, read, cycles, fetchedBytes };
}

/** Every way to share a job: along each axis that may be cut, all by the first NPU, or everything by everybody. */
export function splitsOf(job: TileJob, npus: number, target: Target): Split[] {
  const whole = wholeBox(job.output.shape);
  const ways: (Box | undefined)[][] = [Array.from({ length: npus }, (_, npu) => (npu === 0 ? whole : undefined))];
  // A second store of the same bytes would be for nothing.
  if (!job.direct?.output) ways.push(new Array<Box>(npus).fill(whole));
  for (const { axis, quantum } of job.cuts) {
    if (job.output.shape[axis] > quantum) ways.push(windowsAlong(job, axis, quantum, npus));
  }
  return ways.flatMap((windows) => splitOf(job, windows, target) ?? []);
}

function shifted(box: Box, by: readonly number[], sign: 1 | -1): Box {
  return { start: box.start.map((at, axis) => at + sign * by[axis]), size: box.size };
}

/** The part of a job that makes `window` of its output, as a job of its own. */
export function partOf(job: TileJob, window: Box, npu: number, team?: number): TileJob {
  const first = job.needs(window);
  const part = (view: View | undefined, index: number) => {
    const need = first[index];
    return view && need ? boxView(view, need) : undefined;
  };
  return {
    ...job,
    npu,
    ...(team === undefined ? {} : { team }),
    inputs: job.inputs.map(part),
    output: boxView(job.output, window),
    needs: (box) =>
      job.needs(shifted(box, window.start, 1)).map((need, index) => {
        const origin = first[index];
        return need && origin && shifted(need, origin.start, -1);
      }),
    command: (box, operands, output) => job.command(shifted(box, window.start, 1), operands, output),
  };
}

/** What two boxes share; undefined where they do not touch. */
export function overlapOf(a: Box | undefined, b: Box | undefined): Box | undefined {
  if (a === undefined || b === undefined) return undefined;
  const start = a.start.map((at, axis) => Math.max(at, b.start[axis]));
  const size = start.map((at, axis) => Math.min(a.start[axis] + a.size[axis], b.start[axis] + b.size[axis]) - at);
  return size.every((length) => length > 0) ? { start, size } : undefined;
}

export function isWithin(a: Box, b: Box | undefined): boolean {
  return (
    b !== undefined &&
    a.start.every((at, axis) => at >= b.start[axis] && at + a.size[axis] <= b.start[axis] + b.size[axis])
  );
}

export function hullOf(a: Box | undefined, b: Box): Box {
  if (a === undefined) return b;
  const start = a.start.map((at, axis) => Math.min(at, b.start[axis]));
  const size = start.map((at, axis) => Math.max(a.start[axis] + a.size[axis], b.start[axis] + b.size[axis]) - at);
  return { start, size };
}

/** Bytes that a part of a root moves over the DRAM bus: contiguous runs in whole bursts. */
export function busBytes({ dtype, shape }: Root, { size }: Box, burst: number): number {
  let run = STORAGE_BYTES[dtype];
  let axis = size.length - 1;
  for (; axis >= 0; axis--) {
    run *= size[axis];
    if (size[axis] !== shape[axis]) break;
  }
  return elementsOf(size.slice(0, Math.max(axis, 0))) * Math.ceil(run / burst) * burst;
}

/** What is exchanged so that `needed` of what one NPU made is there: more of it where that is less on the bus. */
export function exchangeBox(root: Root, needed: Box, made: Box, burst: number): Box {
  let best = needed;
  let fewest = busBytes(root, needed, burst);
  for (let axis = needed.size.length - 1; axis > 0; axis--) {
    const start = needed.start.map((at, index) => (index >= axis ? made.start[index] : at));
    const size = needed.size.map((length, index) => (index >= axis ? made.size[index] : length));
    const bytes = busBytes(root, { start, size }, burst);
    if (bytes < fewest) [best, fewest] = [{ start, size }, bytes];
  }
  return best;
}
