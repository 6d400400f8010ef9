/** Walking positions of row-major tensors: the one place where indices become offsets. */
import { CompileError } from "../../error.ts";
import { elementCount, type Node } from "../../ir/graph.ts";
import { stridesOf } from "../../ir/tensor.ts";
import { nameOfNode } from "./types.ts";

/** Calls `visit(index, position)` for every index of a shape in row-major order. `index` is reused: copy it to keep it. */
export function forEachIndex(
  shape: readonly number[],
  visit: (index: readonly number[], position: number) => void,
): void {
  const count = elementCount(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let position = 0; position < count; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/** Offset of an index under strides. */
export function offsetOf(index: readonly number[], strides: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < strides.length; axis++) offset += index[axis] * strides[axis];
  return offset;
}

/** NumPy broadcasting of known shapes. Throws model/shape-mismatch. */
export function broadcastShapes(node: Node, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    shape.forEach((size, axis) => {
      const at = axis + rank - shape.length;
      if (result[at] === 1) result[at] = size;
      else if (size !== 1 && size !== result[at]) {
        const shown = shapes.map((each) => `[${each}]`).join(" and ");
        throw new CompileError("model/shape-mismatch", `the shapes ${shown} do not broadcast`, {
          where: nameOfNode(node),
        });
      }
    });
  }
  return result;
}

/** Strides that read a tensor of `shape` as if it had the shape `target`: 0 along repeated axes. RangeError if it cannot. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = target.length - shape.length;
  const fits = missing >= 0 && shape.every((size, axis) => size === 1 || size === target[axis + missing]);
  if (!fits) throw new RangeError(`the shape [${shape}] does not broadcast to [${target}]`);
  return target.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing]));
}

/** For each element of the broadcast shape `target`, in order, the offset of the element of `shape` that it reads. */
export function broadcastOffsets(shape: readonly number[], target: readonly number[]): Int32Array {
  return stridedOffsets(target, broadcastStrides(shape, target));
}

/** Offsets `base + index · strides` for every index of `shape` in row-major order. */
export function stridedOffsets(shape: readonly number[], strides: readonly number[], base = 0): Int32Array {
  // Axis by axis from the left: every offset so far is repeated, one step of the next axis further each time.
  let offsets = Int32Array.of(base);
  shape.forEach((size, axis) => {
    const next = new Int32Array(offsets.length * size);
    for (let row = 0, at = 0; row < offsets.length; row++) {
      for (let step = 0; step < size; step++) next[at++] = offsets[row] + step * strides[axis];
    }
    offsets = next;
  });
  return offsets;
}

/** A shape seen around one axis: element (o, a, i) lies at (o·size + a)·inner + i. */
export interface AxisView {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

export function axisView(shape: readonly number[], axis: number): AxisView {
  return { outer: elementCount(shape.slice(0, axis)), size: shape[axis], inner: elementCount(shape.slice(axis + 1)) };
}
