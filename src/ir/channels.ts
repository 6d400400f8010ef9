/** Arithmetic on constants that stand for one number a channel: what folding into weights needs. */
import { elementCount, type Tensor } from "./graph.ts";
import { decode, encode, isFloat } from "./numbers.ts";
import { stridesOf } from "./tensor.ts";

/** A constant's elements as doubles, or undefined where it is quantized or not of floats. */
export function realsOf(tensor: Tensor): Float64Array | undefined {
  if (tensor.quant !== undefined || !isFloat(tensor.dtype)) return undefined;
  return Float64Array.from(decode(tensor) as ArrayLike<number>);
}

/** Doubles as a constant, rounded once to its type. */
export function fromReals(dtype: Tensor["dtype"], shape: readonly number[], values: ArrayLike<number>): Tensor {
  return { dtype, shape, data: encode(dtype, values) };
}

/** The tensor times `factors[i]` at index i of `axis`. */
export function scaleAxis(tensor: Tensor, axis: number, factors: ArrayLike<number>): Tensor {
  const values = Float64Array.from(decode(tensor) as ArrayLike<number>);
  const inner = stridesOf(tensor.shape)[axis];
  const size = tensor.shape[axis];
  for (let index = 0; index < values.length; index++) values[index] *= factors[Math.floor(index / inner) % size];
  return fromReals(tensor.dtype, tensor.shape, values);
}

/**
 * A broadcast operand as one number a channel: `tensor` applied to values of rank `rank` must be one element, or vary along
 * `axis` only. Undefined otherwise, or where it would widen the value.
 */
export function channelValues(tensor: Tensor, rank: number, axis: number, channels: number): Float64Array | undefined {
  const values = realsOf(tensor);
  if (values === undefined || tensor.shape.length > rank) return undefined;
  if (elementCount(tensor.shape) === 1) return new Float64Array(channels).fill(values[0]);
  const place = axis - rank + tensor.shape.length;
  const along = tensor.shape.every((dim, index) => dim === (index === place ? channels : 1));
  return along ? values : undefined;
}

/** The number that a constant of one element holds. */
export function numberOf(tensor: Tensor | undefined): number | undefined {
  if (tensor === undefined || tensor.quant !== undefined || tensor.dtype === "string") return undefined;
  return elementCount(tensor.shape) === 1 ? Number(decode(tensor)[0]) : undefined;
}
