/** Which scale belongs to which element, and rounding to codes: for the operators that quantize and dequantize. */
import { type DType, elementCount, intAttr, isStatic, type Node, type Type } from "../../ir/graph.ts";
import { integerRange } from "../../ir/numbers.ts";
import { roundHalfEven } from "../../ir/numeric.ts";
import { stridesOf } from "../../ir/tensor.ts";
import { reject, resolveAxis } from "./types.ts";

/**
 * From the flat position of an element to that of its scale: 0 for one scale; the index along `axis` for a list; with
 * `block_size`, the tensor's own position with the index along `axis` divided by it. Throws model/invalid-node.
 */
export function scalePlaces(
  node: Node,
  shape: readonly number[],
  scale: readonly number[],
): (position: number) => number {
  if (elementCount(scale) === 1 && scale.length <= 1) return () => 0;
  const axis = resolveAxis(node, intAttr(node, "axis", 1), shape.length);
  const inner = stridesOf(shape)[axis];
  const block = intAttr(node, "block_size", 0);
  if (block === 0 && scale.length === 1) {
    if (scale[0] !== shape[axis]) reject(node, `${scale[0]} scales for axis ${axis} of size ${shape[axis]}`);
    return (position) => Math.floor(position / inner) % shape[axis];
  }
  const wanted = shape.map((size, at) => (at === axis ? Math.ceil(size / Math.max(1, block)) : size));
  if (block < 1 || `${scale}` !== `${wanted}`) {
    reject(node, `scales of shape [${scale}] do not fit [${shape}] in blocks of ${block} along axis ${axis}`);
  }
  return (position) => {
    const outer = Math.floor(position / (inner * shape[axis]));
    const at = Math.floor((Math.floor(position / inner) % shape[axis]) / block);
    return (outer * wanted[axis] + at) * inner + (position % inner);
  };
}

/** `saturate(round(steps) + zero)` in the range of an integer dtype of at most 32 bits, halves to even. */
export function quantizeNumber(steps: number, zero: number, dtype: DType): number {
  const [low, high] = integerRange(dtype);
  return Math.min(high, Math.max(low, roundHalfEven(steps) + zero));
}

/** Throws where a zero point's shape is known to differ from its scale's. */
export function requireSameShape(node: Node, scale: Type, zero: Type | undefined): void {
  const [a, b] = [scale.shape, zero?.shape];
  if (isStatic(a) && isStatic(b) && `${a}` !== `${b}`)
    reject(node, `the scale has shape [${a}], its zero point [${b}]`);
}
