/** Builders for operators that work element by element. Integer results wrap modulo their width when they are stored. */
import type { DType, Node, Tensor, Type } from "../../ir/graph.ts";
import { type UnaryGradient, unaryGradient } from "../gradient/elementwise.ts";
import type { RidingOf } from "../integer.ts";
import { lowerUnary } from "../lowering/elementwise.ts";
import type { Op } from "../op.ts";
import { broadcastOffsets, broadcastShapes } from "./index.ts";
import { broadcastDims, FLOATS, makeType, requireSameDType, sameType, typeAt } from "./types.ts";
import { allTensors, type Element, type Elements, elementsOf, fromElements, room, tensorAt } from "./values.ts";

/** A function of a double that may read the node's attributes: it is called once a node and returns the function. */
export type UnaryRule = (node: Node) => (x: number) => number;

export interface UnaryOptions {
  /** Dtypes of the input; the float types if left out. */
  readonly dtypes?: readonly DType[];
  /** The function for int64 and uint64; if left out they go through doubles. */
  readonly big?: (x: bigint, dtype: DType) => bigint;
  /** Beyond ±settles the result no longer changes visibly: a 16-bit pre-activation may saturate there. */
  readonly settles?: number;
  /** The function bends without bound near zero: its argument is stored in 16 bits, and a finer table covers the bend. */
  readonly bendsAtZero?: boolean;
  /** From the gradient by y to that by x. */
  readonly gradient?: UnaryGradient;
}

/** y = f(x), same type. `unary(Math.sin)`; with attributes `unaryOf((node) => { const alpha = …; return (x) => …; })`. */
export function unary(compute: (x: number) => number, options: UnaryOptions = {}): Op {
  return unaryOf(() => compute, options);
}

/** As `unary`, for functions that depend on attributes. */
export function unaryOf(rule: UnaryRule, options: UnaryOptions = {}): Op {
  const range = options.settles ?? Number.POSITIVE_INFINITY;
  const riding: RidingOf = (node) => ({ kind: "table", apply: rule(node), range });
  const bends = options.bendsAtZero === true;
  return {
    ...(bends ? { wantsWide: true } : { riding }),
    integer: lowerUnary(riding, bends),
    ...(options.gradient && { gradient: unaryGradient(options.gradient) }),
    infer: sameType(options.dtypes ?? FLOATS),
    evaluate(node, inputs) {
      const compute = rule(node);
      return [mapTensor(tensorAt(node, inputs, 0), compute, options.big)];
    },
  };
}

/** f of every element, stored in the same dtype. */
export function mapTensor(tensor: Tensor, compute: (x: number) => number, big?: UnaryOptions["big"]): Tensor {
  const source = elementsOf(tensor);
  const target = room(tensor.dtype, source.length);
  for (let index = 0; index < source.length; index++) {
    const x = source[index];
    if (typeof x === "bigint") target[index] = big ? big(x, tensor.dtype) : BigInt(Math.trunc(compute(Number(x))));
    else target[index] = compute(x as number);
  }
  return fromElements(tensor.dtype, tensor.shape, target);
}

/** A test of every element: the same shape, bool. */
export function unaryTest(rule: (node: Node) => (x: number) => boolean, dtypes: readonly DType[]): Op {
  return {
    infer: (node, inputs) => [makeType("bool", typeAt(node, inputs, 0, dtypes).shape)],
    evaluate(node, inputs) {
      const test = rule(node);
      const tensor = tensorAt(node, inputs, 0);
      const source = elementsOf(tensor);
      const target = new Uint8Array(source.length);
      for (let index = 0; index < source.length; index++) target[index] = test(Number(source[index])) ? 1 : 0;
      return [{ dtype: "bool", shape: tensor.shape, data: target }];
    },
  };
}

/** z = f(a, b) of elements that are already aligned; `dtype` is the inputs'. */
export type BinaryRule = (a: number, b: number, dtype: DType) => number;
export type BigBinaryRule = (a: bigint, b: bigint, dtype: DType) => bigint;

/** z = f(a, b) with multidirectional broadcasting and one dtype. `big` is the rule for int64 and uint64. */
export function binary(compute: BinaryRule, big: BigBinaryRule | undefined, dtypes: readonly DType[]): Op {
  return {
    infer: inferBroadcast(dtypes),
    evaluate(node, inputs) {
      const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
      return [zip(node, a, b, a.dtype, combine(compute, big, a.dtype))];
    },
  };
}

function combine(
  compute: BinaryRule,
  big: BigBinaryRule | undefined,
  dtype: DType,
): (a: Element, b: Element) => Element {
  return (a, b) => {
    if (typeof a !== "bigint") return compute(a as number, b as number, dtype);
    return big ? big(a, b as bigint, dtype) : BigInt(Math.trunc(compute(Number(a), Number(b), dtype)));
  };
}

/**
 * Types of a broadcasting operator over all its inputs, of which there are at least `arity`, and which share one dtype;
 * `result` if the output's dtype differs.
 */
export function inferBroadcast(dtypes: readonly DType[], result?: DType, arity = 2): Op["infer"] {
  return (node, inputs): Type[] => {
    const first = typeAt(node, inputs, 0, dtypes);
    const count = Math.max(arity, node.inputs.length);
    const types = Array.from({ length: count }, (_, index) => typeAt(node, inputs, index, dtypes));
    for (let index = 1; index < types.length; index++) requireSameDType(node, inputs, 0, index);
    const shape = broadcastDims(
      node,
      types.map((type) => type.shape),
    );
    return [makeType(result ?? first.dtype, shape)];
  };
}

/** Two tensors broadcast together, combined element by element, stored as `dtype`. */
export function zip(
  node: Node,
  a: Tensor,
  b: Tensor,
  dtype: DType,
  compute: (a: Element, b: Element) => Element,
): Tensor {
  const shape = broadcastShapes(node, [a.shape, b.shape]);
  const [left, right] = [spread(a, shape), spread(b, shape)];
  const target = room(dtype, left.length);
  for (let index = 0; index < left.length; index++) target[index] = compute(left[index], right[index]);
  return fromElements(dtype, shape, target);
}

/** The tensor's elements repeated to a broadcast shape. */
export function spread(tensor: Tensor, shape: readonly number[]): Elements {
  const source = elementsOf(tensor);
  if (tensor.shape.length === shape.length && tensor.shape.every((size, axis) => size === shape[axis])) return source;
  const offsets = broadcastOffsets(tensor.shape, shape);
  const target = room(tensor.dtype, offsets.length);
  for (let index = 0; index < offsets.length; index++) target[index] = source[offsets[index]];
  return target;
}

/** z = test(a, b), bool, broadcasting. Elements are numbers, bigints or strings: `<` and `===` work on each. */
export function comparison(test: (a: Element, b: Element) => boolean, dtypes: readonly DType[]): Op {
  return {
    infer: inferBroadcast(dtypes, "bool"),
    evaluate(node, inputs) {
      const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
      return [zip(node, a, b, "bool", (x, y) => (test(x, y) ? 1 : 0))];
    },
  };
}

/** Any number of inputs folded from the left (Sum, Max, Min, Mean); `finish` gets the total and the number of inputs. */
export function variadic(
  compute: BinaryRule,
  big: BigBinaryRule | undefined,
  dtypes: readonly DType[],
  finish?: (total: number, inputs: number) => number,
): Op {
  return {
    infer: inferBroadcast(dtypes, undefined, 1),
    evaluate(node, inputs) {
      const tensors = allTensors(node, inputs);
      const dtype = tensors[0].dtype;
      const shape = broadcastShapes(
        node,
        tensors.map((tensor) => tensor.shape),
      );
      const lists = tensors.map((tensor) => spread(tensor, shape));
      const target = room(dtype, lists[0].length);
      const step = combine(compute, big, dtype);
      for (let index = 0; index < target.length; index++) {
        let total = lists[0][index];
        for (let input = 1; input < lists.length; input++) total = step(total, lists[input][index]);
        target[index] = finish && typeof total === "number" ? finish(total, lists.length) : total;
      }
      return [fromElements(dtype, shape, target)];
    },
  };
}
