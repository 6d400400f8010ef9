import { elementCount, intAttr } from "../../ir/graph.ts";
import { valuesOf } from "../../ir/tensor.ts";
import { broadcastStrides, stridedOffsets } from "../../ops/shared/index.ts";
import { layPost } from "./post.ts";
import type { CompileStep, Slot } from "./step.ts";

/** Two broadcast operands as rows: where each row starts (bytes), how long it is, and whether an operand repeats one element. */
interface Rows {
  readonly count: number;
  readonly aStep: number;
  readonly bStep: number;
  readonly aOffsets: Int32Array;
  readonly bOffsets: Int32Array;
}

/** Merges neighbouring axes along which both operands run on, or both repeat; the innermost becomes the row. */
function rowsOf(shape: readonly number[], a: Slot, b: Slot): Rows {
  const [left, right] = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)];
  const axes: { size: number; a: number; b: number }[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    const outer = { size: shape[axis], a: left[axis], b: right[axis] };
    const inner = axes[0];
    if (inner && outer.a === inner.a * inner.size && outer.b === inner.b * inner.size) inner.size *= outer.size;
    else axes.unshift(outer);
  }
  const row = axes.pop() ?? { size: 1, a: 0, b: 0 };
  const sizes = axes.map(({ size }) => size);
  const offsets = (steps: number[], bytes: number) => stridedOffsets(sizes, steps).map((offset) => offset * bytes);
  return {
    count: row.size,
    aStep: row.a,
    bStep: row.b,
    aOffsets: offsets(
      axes.map((axis) => axis.a),
      a.bytes,
    ),
    bOffsets: offsets(
      axes.map((axis) => axis.b),
      b.bytes,
    ),
  };
}

/** npu.Add and npu.Mul. */
export function compileCombine(kind: 0 | 1): CompileStep {
  return (context) => {
    const { node, kernels, output } = context;
    const [a, b] = [context.input(0), context.input(1)];
    const post = layPost(context, 2);
    if (post === undefined) return undefined;
    const { count, aStep, bStep, aOffsets, bOffsets } = rowsOf(output.shape, a, b);
    const [aZero, bZero] = [intAttr(node, "a_zero", 0), intAttr(node, "b_zero", 0)];
    const [aFactor, bFactor] = [intAttr(node, "a_multiplier", 1), intAttr(node, "b_multiplier", 1)];
    return () => {
      for (let row = 0; row < aOffsets.length; row++) {
        kernels.combine(
          kind,
          a.address + aOffsets[row],
          aStep,
          a.bytes,
          aZero,
          aFactor,
          b.address + bOffsets[row],
          bStep,
          b.bytes,
          bZero,
          bFactor,
          count,
          post,
          output.address + row * count * output.bytes,
        );
      }
    };
  };
}

/** npu.Max and npu.Min. */
export function compileExtreme(larger: boolean): CompileStep {
  return (context) => {
    const { kernels, output } = context;
    const [a, b] = [context.input(0), context.input(1)];
    if (output.bytes > 2 || output.dtype === "uint8") return undefined;
    const { count, aStep, bStep, aOffsets, bOffsets } = rowsOf(output.shape, a, b);
    return () => {
      for (let row = 0; row < aOffsets.length; row++) {
        const to = output.address + row * count * output.bytes;
        const [from, other] = [a.address + aOffsets[row], b.address + bOffsets[row]];
        kernels.extreme(larger ? 1 : 0, from, aStep, other, bStep, output.bytes, count, to);
      }
    };
  };
}

export const compileRescale: CompileStep = (context) => {
  const { node, kernels, output } = context;
  const x = context.input(0);
  const post = layPost(context, 1);
  if (post === undefined || (x.dtype !== "int8" && x.dtype !== "int16")) return undefined;
  const zero = intAttr(node, "x_zero", 0);
  return () => {
    kernels.combine(2, x.address, 1, x.bytes, zero, 0, x.address, 0, x.bytes, 0, 0, x.count, post, output.address);
  };
};

export const compileTable: CompileStep = (context) => {
  const { kernels, layout, output } = context;
  const x = context.input(0);
  const constant = context.constant(1);
  if (!constant) return undefined;
  const table = layout.constant(valuesOf(constant));
  const count = elementCount(x.shape);
  if (x.dtype === "int16") return () => kernels.lookUpWide(x.address, table, count, output.address);
  return () => kernels.lookUp(x.address, table, output.bytes, count, output.address);
};
