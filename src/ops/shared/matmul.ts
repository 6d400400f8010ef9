/** The batched matrix product of NumPy, for every operator that multiplies matrices. */
import type { Dim, Node, Tensor } from "../../ir/graph.ts";
import type { Doubles } from "./convolution.ts";
import { spread } from "./elementwise.ts";
import { productOf } from "./npu/product.ts";
import { broadcastDims, reject, sizeOf, unifyDims } from "./types.ts";
import { doublesOf, type Element, type Elements, elementsOf, reshaped } from "./values.ts";

/** Shape of the product; undefined where a rank is not known. Throws where the depths differ. */
export function productDims(
  node: Node,
  a: readonly Dim[] | undefined,
  b: readonly Dim[] | undefined,
): Dim[] | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a.length === 0 || b.length === 0) reject(node, "a matrix product takes no scalars");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  unifyDims(node, left[left.length - 1], right[right.length - 2], `[${a}] and [${b}] have no matrix product`);
  const batch = broadcastDims(node, [left.slice(0, -2), right.slice(0, -2)]) as Dim[];
  return [
    ...batch,
    ...(a.length === 1 ? [] : [left[left.length - 2]]),
    ...(b.length === 1 ? [] : [right[right.length - 1]]),
  ];
}

/** Multiply-accumulates of a product of this shape, given the first factor's. */
export function productMacs(a: readonly Dim[] | undefined, output: readonly Dim[] | undefined): number {
  const depth = a?.[a.length - 1];
  return depth === undefined || output === undefined ? 0 : sizeOf([depth, ...output]);
}

/** `a · b` of integers or reals, summed in double; exact for codes of up to 16 bits. */
export function multiply(node: Node, a: Doubles, b: Doubles): { shape: readonly number[]; values: Float64Array } {
  const { rows, columns, depth, left, right, shape } = productOf(node, a.shape, b.shape);
  const values = new Float64Array(left.length * rows * columns);
  const [x, y] = [Float64Array.from(a.values), Float64Array.from(b.values)];
  for (let batch = 0; batch < left.length; batch++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) {
          sum += x[left[batch] + row * depth + k] * y[right[batch] + k * columns + column];
        }
        values[(batch * rows + row) * columns + column] = sum;
      }
    }
  }
  return { shape, values };
}

/** `a · b` of 32 and 64 bit integers, whose sums may pass 2^53: exact, before it is wrapped. */
export function multiplyExactly(node: Node, a: Tensor, b: Tensor): { shape: readonly number[]; values: bigint[] } {
  const { rows, columns, depth, left, right, shape } = productOf(node, a.shape, b.shape);
  const big = (elements: Elements) => Array.from(elements as ArrayLike<Element>, BigInt);
  const [x, y] = [big(elementsOf(a)), big(elementsOf(b))];
  const values = Array.from({ length: left.length * rows * columns }, (_, position) => {
    const column = position % columns;
    const row = Math.floor(position / columns) % rows;
    const batch = Math.floor(position / (columns * rows));
    let sum = 0n;
    for (let k = 0; k < depth; k++) sum += x[left[batch] + row * depth + k] * y[right[batch] + k * columns + column];
    return sum;
  });
  return { shape, values };
}

/**
 * A scale or zero point of one factor, as numbers that broadcast to it: a list names rows of the first factor (so it
 * becomes a column) or columns of the second.
 */
export function parameterOf(parameter: Tensor, side: 0 | 1): Tensor {
  const { shape } = parameter;
  return side === 0 && shape.length === 1 && shape[0] !== 1 ? reshaped(parameter, [shape[0], 1]) : parameter;
}

/** A factor's codes, each less its zero point. */
export function codesLessZero(codes: Tensor, zero: Tensor | undefined, side: 0 | 1): Doubles {
  const values = doublesOf(codes);
  if (zero === undefined) return { shape: codes.shape, values };
  const zeros = spread(parameterOf(zero, side), codes.shape) as ArrayLike<number>;
  return { shape: codes.shape, values: Float64Array.from(values, (code, index) => code - zeros[index]) };
}
