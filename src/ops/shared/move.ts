import { bitsOf, type DType, elementCount, type Tensor, type TypedArray } from "../../ir/graph.ts";
import { allocate, valuesOf } from "../../ir/tensor.ts";

/** One element, as JavaScript holds it. */
export type Element = number | bigint | string;

/** An array of elements that can be written, whatever the storage type. */
export interface Elements {
  [index: number]: Element;
  readonly length: number;
}

/** Array entries an element takes: complex numbers lie as two floats. */
function widthOf(dtype: DType): number {
  return dtype === "complex64" || dtype === "complex128" ? 2 : 1;
}

function signed(dtype: DType): boolean {
  return dtype === "int4" || dtype === "int2";
}

/** A tensor's elements, one an entry: int2 and int4 come out of their packing (complex: two entries an element). */
export function elementsOf(tensor: Tensor): Elements {
  if (tensor.dtype === "string") return tensor.data as unknown as Elements;
  const bits = bitsOf(tensor.dtype);
  const values = valuesOf(tensor);
  if (bits >= 8) return values as unknown as Elements;
  const bytes = values as Uint8Array;
  const count = elementCount(tensor.shape);
  const codes = signed(tensor.dtype) ? new Int8Array(count) : new Uint8Array(count);
  const perByte = 8 / bits;
  for (let index = 0; index < count; index++) {
    const code = (bytes[Math.floor(index / perByte)] >> ((index % perByte) * bits)) & ((1 << bits) - 1);
    codes[index] = signed(tensor.dtype) ? (code << (32 - bits)) >> (32 - bits) : code;
  }
  return codes as unknown as Elements;
}

/** Room for `count` elements of a type, one an entry (complex: two), zero-filled; strings are empty. */
export function makeElements(dtype: DType, count: number): Elements {
  if (dtype === "string") return new Array<string>(count).fill("");
  if (bitsOf(dtype) < 8) return (signed(dtype) ? new Int8Array(count) : new Uint8Array(count)) as unknown as Elements;
  return allocate(dtype, count) as unknown as Elements;
}

/** The inverse of `elementsOf`: int2 and int4 are packed again, low bits first. */
export function tensorOf(dtype: DType, shape: readonly number[], elements: Elements): Tensor {
  if (dtype === "string") return { dtype, shape, data: elements as unknown as readonly string[] };
  const bits = bitsOf(dtype);
  if (bits >= 8) return { dtype, shape, data: elements as unknown as TypedArray };
  const bytes = new Uint8Array(Math.ceil((elements.length * bits) / 8));
  const perByte = 8 / bits;
  for (let index = 0; index < elements.length; index++) {
    const code = Number(elements[index]) & ((1 << bits) - 1);
    bytes[Math.floor(index / perByte)] |= code << ((index % perByte) * bits);
  }
  return { dtype, shape, data: bytes };
}

/**
 * The tensor of `shape` whose element `i` (row-major) is the input's element `source(i)`, for any storage type. Where
 * `source` is negative the element is `fill`, or zero (strings: empty).
 */
export function moved(
  input: Tensor,
  shape: readonly number[],
  source: (index: number) => number,
  fill?: Element,
): Tensor {
  const count = elementCount(shape);
  const from = elementsOf(input);
  const to = makeElements(input.dtype, count);
  const width = widthOf(input.dtype);
  for (let index = 0; index < count; index++) {
    const at = source(index);
    if (at < 0) {
      if (fill !== undefined) to[index * width] = fill;
    } else for (let part = 0; part < width; part++) to[index * width + part] = from[at * width + part];
  }
  return tensorOf(input.dtype, shape, to);
}

/** The same numbers under another shape of as many elements. */
export function reshaped(input: Tensor, shape: readonly number[]): Tensor {
  return { dtype: input.dtype, shape, data: input.data };
}

/** Coordinates of a flat index, for a tensor of this shape. */
export function unravel(index: number, shape: readonly number[]): number[] {
  const coordinates = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    coordinates[axis] = index % shape[axis];
    index = Math.floor(index / shape[axis]);
  }
  return coordinates;
}

/** The flat index of coordinates, given strides. */
export function ravel(coordinates: readonly number[], strides: readonly number[]): number {
  let index = 0;
  for (let axis = 0; axis < coordinates.length; axis++) index += coordinates[axis] * strides[axis];
  return index;
}
