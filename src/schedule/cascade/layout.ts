/** Views by the coordinates of their root: what tells which rows of a tensor a view, or a box of it, touches. */
import { stridesOf } from "../../ir/tensor.ts";
import type { Box, Root, View } from "../view.ts";

/**
 * An element of the view lies at `starts[k] + Σ steps[i] · index[i]` over the view's axes i with `axes[i] === k`, on every
 * axis k of the shape: nothing is carried from one axis to the next.
 */
export interface Layout {
  /** By axis of the view: the axis of the shape, −1 where the view has one element or repeats itself. */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
  readonly starts: readonly number[];
  /** By axis of the shape: one past the last coordinate. */
  readonly ends: readonly number[];
}

/** The layout of a view, its root seen as a contiguous tensor of `shape`; undefined where an axis runs over several of them. */
export function layoutOf(view: View, shape: readonly number[]): Layout | undefined {
  const strides = stridesOf(shape);
  const starts: number[] = [];
  let rest = view.offset;
  for (let axis = 0; axis < shape.length; axis++) {
    starts.push(Math.floor(rest / strides[axis]));
    rest -= starts[axis] * strides[axis];
  }
  const ends = starts.map((start) => start + 1);
  const axes: number[] = [];
  const steps: number[] = [];
  for (let axis = 0; axis < view.shape.length; axis++) {
    const stride = view.strides[axis];
    if (view.shape[axis] === 1 || stride === 0) {
      axes.push(-1);
      steps.push(0);
      continue;
    }
    const found = strides.findIndex((own, at) => shape[at] > 1 && own <= stride);
    if (stride < 0 || found < 0 || stride % strides[found] !== 0) return undefined;
    axes.push(found);
    steps.push(stride / strides[found]);
    ends[found] += (view.shape[axis] - 1) * (stride / strides[found]);
  }
  return ends.every((end, axis) => end <= shape[axis]) ? { axes, steps, starts, ends } : undefined;
}

/** The same view of a root that holds only a run of rows of the old one, from row `first` on. */
export function viewOfRows(view: View, layout: Layout, root: Root, axis: number, first: number): View {
  const own = stridesOf(root.shape);
  const strides = layout.axes.map((at, index) => (at < 0 ? 0 : layout.steps[index] * own[at]));
  for (let at = view.shape.length - 1; at >= 0; at--) {
    if (view.shape[at] !== 1) continue;
    strides[at] = at === view.shape.length - 1 ? 1 : strides[at + 1] * view.shape[at + 1];
  }
  const starts = layout.starts.map((start, at) => (at === axis ? start - first : start));
  const offset = starts.reduce((sum, start, at) => sum + start * own[at], 0);
  const used = layout.axes.filter((at) => at >= 0);
  const plain = layout.steps.every((step) => step <= 1) && new Set(used).size === used.length;
  const aligned = plain ? { aligned: { axes: layout.axes, starts } } : {};
  return { root, offset, shape: view.shape, strides, ...aligned };
}

/** Half-open range of rows that a box of a view touches. */
export function rowsOfBox(box: Box, layout: Layout, axis: number): { low: number; high: number } {
  let low = layout.starts[axis];
  let high = low + 1;
  layout.axes.forEach((at, index) => {
    if (at !== axis) return;
    low += layout.steps[index] * box.start[index];
    high += layout.steps[index] * (box.start[index] + box.size[index] - 1);
  });
  return { low, high };
}

/** Whether two views may share elements of some row. */
export function besides(a: Layout, b: Layout, axis: number): boolean {
  return a.starts.some((start, at) => at !== axis && (start >= b.ends[at] || b.starts[at] >= a.ends[at]));
}
