import { type Dim, elementCount, intAttr, isStatic, type Node } from "../ir/graph.ts";
import { reshapeGradient } from "./gradient/move.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { constantIntegers, makeType, reject, typeAt, unknownShape } from "./shared/types.ts";
import { integersOf, reshaped, tensorAt } from "./shared/values.ts";

/** The shape that `wanted` means for an input of shape `from`: 0 copies a dimension (unless allowzero), −1 is the rest. */
function resolve(node: Node, from: readonly Dim[] | undefined, wanted: readonly number[]): Dim[] {
  const allowZero = intAttr(node, "allowzero", 0) !== 0;
  if (wanted.some((dim) => dim < -1)) reject(node, `the shape [${wanted}] has a negative dimension`);
  const free = wanted.indexOf(-1);
  if (free !== wanted.lastIndexOf(-1)) reject(node, `the shape [${wanted}] leaves two dimensions open`);
  const shape = wanted.map((dim, axis): Dim => (dim === 0 && !allowZero ? copied(node, from, axis) : dim));
  if (free < 0) {
    if (isStatic(from) && isStatic(shape) && elementCount(from) !== elementCount(shape)) mismatch(node, from, wanted);
    return shape;
  }
  const rest = from && quotient(from, shape.toSpliced(free, 1));
  if (rest === undefined) return shape.with(free, "?");
  if (!Number.isInteger(rest)) mismatch(node, from as readonly Dim[], wanted);
  return shape.with(free, rest);
}

function copied(node: Node, from: readonly Dim[] | undefined, axis: number): Dim {
  if (from === undefined) return "?";
  return from[axis] ?? reject(node, `dimension ${axis} is to be copied, but the input has rank ${from.length}`);
}

/** Elements of `whole` over elements of `part`, where that is known: a symbol that stands on both sides cancels. */
function quotient(whole: readonly Dim[], part: readonly Dim[]): number | undefined {
  const left = [...whole];
  const right = part.filter((dim) => {
    const at = typeof dim === "string" && dim !== "?" ? left.indexOf(dim) : -1;
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return isStatic(left) && isStatic(right) ? elementCount(left) / elementCount(right) : undefined;
}

function mismatch(node: Node, from: readonly Dim[], wanted: readonly number[]): never {
  return reject(node, `[${from}] cannot be reshaped to [${wanted}]`);
}

/** The same elements under the shape of input 1, in which 0 copies a dimension (unless `allowzero`) and −1 is the rest. */
const op: Op = {
  gradient: reshapeGradient,
  integer: lowerReshape,
  operands: { data: [0] },
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const wanted = constantIntegers(context, 1);
    if (wanted) return [makeType(dtype, resolve(node, shape, wanted))];
    const rank = typeAt(node, inputs, 1).shape?.[0];
    return [makeType(dtype, typeof rank === "number" ? unknownShape(rank) : undefined)];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    return [reshaped(data, resolve(node, data.shape, integersOf(tensorAt(node, inputs, 1))) as number[])];
  },
};

export default op;
