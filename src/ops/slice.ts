import type { Dim, Node, Tensor } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { sliceGradient } from "./gradient/move.ts";
import { lowerSlice } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { offsetOf, stridedOffsets } from "./shared/index.ts";
import { makeType, reject, resolveAxis, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** A slice along one axis: where it begins, how it steps, how many elements it takes ("?" where the axis is symbolic). */
interface Cut {
  readonly start: number;
  readonly step: number;
  readonly count: Dim;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** Ends such as 2^63 − 1 lose low digits as numbers; the clamp makes that harmless. */
function cut(node: Node, dim: Dim, start: number, end: number, step: number): Cut {
  if (step === 0) reject(node, "a step is 0");
  if (typeof dim === "string") return { start: 0, step, count: "?" };
  const from = clamp(start < 0 ? start + dim : start, 0, step < 0 ? dim - 1 : dim);
  const to = clamp(end < 0 ? end + dim : end, step < 0 ? -1 : 0, dim);
  return { start: from, step, count: Math.max(0, Math.ceil((to - from) / step)) };
}

/** One cut an axis, from the inputs starts, ends, axes and steps. */
function cutsOf(node: Node, shape: readonly Dim[], inputs: readonly (Tensor | undefined)[]): Cut[] {
  const [starts = [], ends = [], axes, steps] = inputs.map((tensor) => tensor && integersOf(tensor));
  const chosen = axes ?? starts.map((_, index) => index);
  const strides = steps ?? starts.map(() => 1);
  if ([ends, chosen, strides].some((list) => list.length !== starts.length)) {
    reject(node, "starts, ends, axes and steps differ in length");
  }
  const cuts = shape.map((count): Cut => ({ start: 0, step: 1, count }));
  chosen.forEach((given, index) => {
    const axis = resolveAxis(node, given, shape.length);
    cuts[axis] = cut(node, shape[axis], starts[index], ends[index], strides[index]);
  });
  return cuts;
}

/** Every step-th element from start up to end along axes; all may be negative, and ends beyond the tensor are clamped. */
const op: Op = {
  gradient: sliceGradient,
  integer: lowerSlice,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    if (shape === undefined) return [makeType(dtype)];
    const parts = [1, 2, 3, 4].map((index) => context.constant(index));
    const known = parts.every((part, index) => part !== undefined || (node.inputs[index + 1] ?? "") === "");
    if (known) {
      return [
        makeType(
          dtype,
          cutsOf(node, shape, parts).map((each) => each.count),
        ),
      ];
    }
    const axes = parts[2] && integersOf(parts[2]).map((axis) => resolveAxis(node, axis, shape.length));
    return [
      makeType(
        dtype,
        shape.map((dim, axis) => (axes?.includes(axis) === false ? dim : "?")),
      ),
    ];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const parts = [1, 2, 3, 4].map((index) => optionalTensorAt(node, inputs, index));
    const cuts = cutsOf(node, data.shape, parts);
    const shape = cuts.map((each) => each.count as number);
    const strides = stridesOf(data.shape);
    const base = offsetOf(
      cuts.map((each) => each.start),
      strides,
    );
    const steps = strides.map((stride, axis) => stride * cuts[axis].step);
    return [gatherOffsets(data, shape, stridedOffsets(shape, steps, base))];
  },
};

export default op;
