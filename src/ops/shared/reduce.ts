/** The ReduceX family in its canonical form: `axes` is input 1, `keepdims` and `noop_with_empty_axes` are attributes. */
import { type Dim, type DType, intAttr, type Node, type Tensor } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { broadcastStrides, stridedOffsets } from "./index.ts";
import { makeType, NUMBERS, resolveAxis, typeAt, unknownShape } from "./types.ts";
import { elementsOf, fromElements, integersOf, optionalTensorAt, room, tensorAt } from "./values.ts";

/** Arithmetic in which a reduction's elements are combined: bigint for 64-bit integers, double for all else. */
type Numeric = number | bigint;

/** From all elements of one group to the result. Integer results wrap when stored; `values` may be empty. */
export interface Reduction {
  readonly number: (values: readonly number[], dtype: DType) => number;
  /** For int64 and uint64; through doubles and truncated if left out. */
  readonly big?: (values: readonly bigint[], dtype: DType) => bigint;
}

/** The axes a node reduces: resolved and distinct. An absent or empty list means all, or none with noop_with_empty_axes. */
export function reducedAxes(node: Node, axes: readonly number[] | undefined, rank: number): Set<number> {
  if (axes === undefined || axes.length === 0) {
    const none = intAttr(node, "noop_with_empty_axes", 0) === 1;
    return new Set(none ? [] : Array.from({ length: rank }, (_, axis) => axis));
  }
  return new Set(axes.map((axis) => resolveAxis(node, axis, rank)));
}

/** Shape after reducing: 1 (keepdims) or nothing along the axes. */
export function reducedShape<D extends Dim>(shape: readonly D[], axes: ReadonlySet<number>, keep: boolean): (D | 1)[] {
  if (keep) return shape.map((dim, axis) => (axes.has(axis) ? 1 : dim));
  return shape.filter((_, axis) => !axes.has(axis));
}

/** An operator of the family. `reduction({ number: (values) => values.reduce((a, b) => a + b, 0) })`. */
export function reduction(rule: Reduction, dtypes: readonly DType[] = NUMBERS): Op {
  return {
    infer(node, inputs, context) {
      const { dtype, shape } = typeAt(node, inputs, 0, dtypes);
      const keep = intAttr(node, "keepdims", 1) === 1;
      if (shape === undefined) return [makeType(dtype)];
      const given = (node.inputs[1] ?? "") !== "";
      const constant = given ? context.constant(1) : undefined;
      if (given && constant === undefined) {
        const count = inputs[1]?.shape?.[0];
        if (keep) return [makeType(dtype, unknownShape(shape.length))];
        return [
          makeType(dtype, typeof count === "number" && count > 0 ? unknownShape(shape.length - count) : undefined),
        ];
      }
      const axes = reducedAxes(node, constant && integersOf(constant), shape.length);
      return [makeType(dtype, reducedShape(shape, axes, keep))];
    },
    evaluate(node, inputs) {
      const tensor = tensorAt(node, inputs, 0);
      const given = optionalTensorAt(node, inputs, 1);
      const axes = reducedAxes(node, given && integersOf(given), tensor.shape.length);
      return [reduceTensor(tensor, axes, intAttr(node, "keepdims", 1) === 1, rule)];
    },
  };
}

/** Applies a rule to each group of elements that differ only along `axes`. */
export function reduceTensor(tensor: Tensor, axes: ReadonlySet<number>, keep: boolean, rule: Reduction): Tensor {
  const groups = reducedShape(tensor.shape, axes, true);
  const shape = reducedShape(tensor.shape, axes, keep);
  const source = elementsOf(tensor) as { readonly length: number; readonly [index: number]: Numeric };
  const members: Numeric[][] = Array.from({ length: groups.reduce<number>((a, b) => a * b, 1) }, () => []);
  const group = stridedOffsets(tensor.shape, broadcastStrides(groups, tensor.shape));
  for (let index = 0; index < source.length; index++) members[group[index]].push(source[index]);
  const target = room(tensor.dtype, members.length);
  members.forEach((values, index) => {
    target[index] = reduceGroup(values, tensor.dtype, rule);
  });
  return fromElements(tensor.dtype, shape, target);
}

function reduceGroup(values: readonly Numeric[], dtype: DType, rule: Reduction): Numeric {
  if (dtype !== "int64" && dtype !== "uint64") return rule.number(values as number[], dtype);
  if (rule.big) return rule.big(values as bigint[], dtype);
  return BigInt(Math.trunc(rule.number(values.map(Number), dtype)));
}
