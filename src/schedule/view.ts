import { bug } from "../error.ts";
import { stridesOf } from "../ir/tensor.ts";
import { type Operand, type Space, STORAGE_BYTES, type Storage } from "./program.ts";
import type { Codes } from "./weights.ts";

/** Memory of its own: a tensor that no other is a part of. */
export interface Root {
  readonly name: string;
  readonly dtype: Storage;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** `state` and `input` lie in DRAM when a run begins, an `output` when it has ended. */
  readonly kind: "computed" | "input" | "state" | "constant" | "output";
  /** Constants only. */
  readonly codes?: Codes;
}

/** A strided part of a root, seen as a tensor of its own. Offset and strides in elements. */
export interface View {
  readonly root: Root;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /**
   * Where the view's axes lie in the root: `axes[i]` is the root's axis of the view's axis i (−1: a new axis of size 1),
   * `starts` the first index on every root axis. Absent where a reshape mixed the axes.
   */
  readonly aligned?: { readonly axes: readonly number[]; readonly starts: readonly number[] };
}

/** Half-open ranges on every axis. */
export interface Box {
  readonly start: readonly number[];
  readonly size: readonly number[];
}

export function wholeBox(shape: readonly number[]): Box {
  return { start: shape.map(() => 0), size: shape };
}

export function isWhole(box: Box, shape: readonly number[]): boolean {
  return shape.every((size, axis) => box.size[axis] === size);
}

export function elementsOf(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

export function viewOfRoot(root: Root): View {
  const aligned = { axes: root.shape.map((_, axis) => axis), starts: root.shape.map(() => 0) };
  return { root, offset: 0, shape: root.shape, strides: stridesOf(root.shape), aligned };
}

export function isContiguous(view: View): boolean {
  let step = 1;
  for (let axis = view.shape.length - 1; axis >= 0; axis--) {
    if (view.shape[axis] !== 1 && view.strides[axis] !== step) return false;
    step *= view.shape[axis];
  }
  return true;
}

/** The same elements under another shape, where strides can say it; undefined where only a copy could. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  const same = sameButOnes(view, shape);
  if (same) return same;
  if (!isContiguous(view)) return undefined;
  return { root: view.root, offset: view.offset, shape, strides: stridesOf(shape) };
}

/** A reshape that only adds or drops axes of size 1 keeps strides and alignment. */
function sameButOnes(view: View, shape: readonly number[]): View | undefined {
  const kept = view.shape.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  const wanted = shape.flatMap((size, axis) => (size === 1 ? [] : [axis]));
  if (kept.length !== wanted.length || wanted.some((axis, at) => shape[axis] !== view.shape[kept[at]]))
    return undefined;
  const strides = shape.map(() => 0);
  const axes = shape.map(() => -1);
  wanted.forEach((axis, at) => {
    strides[axis] = view.strides[kept[at]];
    axes[axis] = view.aligned?.axes[kept[at]] ?? -1;
  });
  // A new axis of size 1 gets the stride that a contiguous tensor would have: no reader multiplies it by more than 0.
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    if (shape[axis] === 1) strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  if (shape.length > 0 && shape[shape.length - 1] === 1) strides[shape.length - 1] = 1;
  const aligned = view.aligned && { axes, starts: view.aligned.starts };
  return { root: view.root, offset: view.offset, shape, strides, ...(aligned ? { aligned } : {}) };
}

/** `axes[i]` is the view's axis that becomes axis i. */
export function permuteView(view: View, axes: readonly number[]): View {
  const pick = (list: readonly number[]) => axes.map((axis) => list[axis]);
  const aligned = view.aligned && { axes: pick(view.aligned.axes), starts: view.aligned.starts };
  return {
    root: view.root,
    offset: view.offset,
    shape: pick(view.shape),
    strides: pick(view.strides),
    ...(aligned ? { aligned } : {}),
  };
}

/** Every `step`-th element from `start`, `count` of them, on one axis. A step other than 1 loses the alignment. */
export function sliceView(view: View, axis: number, start: number, count: number, step: number): View {
  const shape = view.shape.map((size, at) => (at === axis ? count : size));
  const strides = view.strides.map((stride, at) => (at === axis ? stride * step : stride));
  const offset = view.offset + start * view.strides[axis];
  if (view.aligned === undefined || step !== 1 || view.aligned.axes[axis] < 0)
    return { root: view.root, offset, shape, strides };
  const starts = [...view.aligned.starts];
  starts[view.aligned.axes[axis]] += start;
  return { root: view.root, offset, shape, strides, aligned: { axes: view.aligned.axes, starts } };
}

/** Repeats axes of size 1 by stride 0, and adds axes in front, up to `shape`. */
export function broadcastView(view: View, shape: readonly number[]): View {
  const missing = shape.length - view.shape.length;
  const strides = shape.map((size, axis) => {
    if (axis < missing) return 0;
    return view.shape[axis - missing] === 1 && size !== 1 ? 0 : view.strides[axis - missing];
  });
  const axes = shape.map((_, axis) => {
    if (axis < missing || view.shape[axis - missing] === 1) return -1;
    return view.aligned?.axes[axis - missing] ?? -1;
  });
  const aligned = view.aligned && { axes, starts: view.aligned.starts };
  return { root: view.root, offset: view.offset, shape, strides, ...(aligned ? { aligned } : {}) };
}

/** The view of a box: same strides. */
export function boxView(view: View, box: Box): View {
  let result = view;
  box.size.forEach((size, axis) => {
    if (box.start[axis] !== 0 || size !== view.shape[axis]) result = sliceView(result, axis, box.start[axis], size, 1);
  });
  return result;
}

/** The smallest and one past the largest element of the root that a view touches. */
export function extentOf(view: View): { low: number; high: number } {
  let low = view.offset;
  let high = view.offset;
  view.shape.forEach((size, axis) => {
    const reach = (size - 1) * view.strides[axis];
    if (reach < 0) low += reach;
    else high += reach;
  });
  return { low, high: high + 1 };
}

/**
 * A box of the root's own axes that holds all that a view touches. A stride is read as digits of the root's mixed radix;
 * where digits overflow, the axis is whole and the carry goes to the next outer one: never too small, and exact for
 * slices, permutations, and reshapes that split or merge axes.
 */
export function boundsOf(view: View): Box {
  const { shape } = view.root;
  const start = new Array<number>(shape.length);
  const reach = new Array<number>(shape.length).fill(0);
  let low = view.offset;
  view.strides.forEach((stride, axis) => {
    if (stride < 0) low += (view.shape[axis] - 1) * stride;
  });
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    start[axis] = low % shape[axis];
    low = (low - start[axis]) / shape[axis];
  }
  view.strides.forEach((stride, at) => {
    const steps = view.shape[at] - 1;
    let rest = Math.abs(stride);
    for (let axis = shape.length - 1; axis >= 0 && rest > 0 && steps > 0; axis--) {
      const digit = axis === 0 ? rest : rest % shape[axis];
      reach[axis] += steps * digit;
      rest = (rest - digit) / shape[axis];
    }
  });
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (start[axis] + reach[axis] < shape[axis]) continue;
    if (axis > 0) reach[axis - 1] += Math.floor((start[axis] + reach[axis]) / shape[axis]);
    [start[axis], reach[axis]] = [0, shape[axis] - 1];
  }
  return { start, size: reach.map((most) => most + 1) };
}

/** The smallest box on the root's axes that holds all that a view touches; the whole root where strides cannot tell. */
export function coverOf(view: View): Box {
  const { shape } = view.root;
  const steps = stridesOf(shape);
  const start = steps.map((step, axis) => Math.floor(view.offset / step) % shape[axis]);
  const size = shape.map(() => 1);
  for (let at = 0; at < view.shape.length; at++) {
    if (view.shape[at] === 1 || view.strides[at] === 0) continue;
    const axis = rootAxisOf(view.strides[at], shape, steps);
    if (axis === undefined) return wholeBox(shape);
    size[axis] += (view.shape[at] - 1) * (view.strides[at] / steps[axis]);
  }
  return size.every((length, axis) => start[axis] + length <= shape[axis]) ? { start, size } : wholeBox(shape);
}

/** The axis that a step walks along. */
function rootAxisOf(stride: number, shape: readonly number[], steps: readonly number[]): number | undefined {
  const axis = steps.findIndex((step, at) => shape[at] > 1 && step <= stride);
  return axis >= 0 && stride % steps[axis] === 0 ? axis : undefined;
}

/** A view of a root of which only the box `held` is there, compact, as a view of that box. */
function viewOfHeld(view: View, held: Box): View {
  const { shape } = view.root;
  const [steps, own] = [stridesOf(shape), stridesOf(held.size)];
  const first = steps.map((step, axis) => Math.floor(view.offset / step) % shape[axis]);
  const offset = first.reduce((sum, at, axis) => sum + (at - held.start[axis]) * own[axis], 0);
  const strides = new Array<number>(view.shape.length).fill(1);
  for (let at = view.shape.length - 1; at >= 0; at--) {
    const axis = view.shape[at] === 1 ? undefined : rootAxisOf(view.strides[at], shape, steps);
    if (axis !== undefined) strides[at] = (view.strides[at] / steps[axis]) * own[axis];
    else if (view.strides[at] === 0) strides[at] = 0;
    else if (at + 1 < strides.length) strides[at] = strides[at + 1] * view.shape[at + 1];
  }
  return { root: view.root, offset, shape: view.shape, strides };
}

/** The operand of a view of a root whose box `held` begins at `base`. */
export function heldOperand(view: View, held: Box, base: number): Operand {
  return operandOf(isWhole(held, view.root.shape) ? view : viewOfHeld(view, held), "sram", base);
}

export function boxesOverlap(a: Box, b: Box): boolean {
  return a.start.every((start, axis) => start < b.start[axis] + b.size[axis] && b.start[axis] < start + a.size[axis]);
}

/** The operand of a view whose root begins at `base`. */
export function operandOf(view: View, space: Space, base: number): Operand {
  const { dtype } = view.root;
  const address = base + view.offset * STORAGE_BYTES[dtype];
  if (!Number.isSafeInteger(address) || address < 0) bug(`the view of ${view.root.name} begins at ${address}`);
  return { space, address, dtype, shape: view.shape, strides: view.strides };
}

/** A compact copy of a view's box: what a staged operand looks like. */
export function compactOperand(dtype: Storage, shape: readonly number[], address: number): Operand {
  return { space: "sram", address, dtype, shape, strides: stridesOf(shape) };
}

export function bytesOfBox(dtype: Storage, box: Box): number {
  return elementsOf(box.size) * STORAGE_BYTES[dtype];
}
