import type { Dim, Node, RuntimeValue, Type } from "../../ir/graph.ts";
import { makeType, reject } from "./types.ts";
import { scalarOf, tensorAt } from "./values.ts";

/** The type of a sequence input's elements. */
export function elementTypeAt(node: Node, inputs: readonly (Type | undefined)[], index: number): Type {
  const type = inputs[index] ?? reject(node, `input ${index} is missing`);
  if (type.container !== "sequence") reject(node, `input ${index} "${node.inputs[index]}" is not a sequence`);
  return makeType(type.dtype, type.shape);
}

/** A sequence of tensors of this type. */
export function sequenceOf(element: Type): Type {
  return { ...makeType(element.dtype, element.shape), container: "sequence" };
}

/** A type that covers both: dimensions that differ become "?", another rank is no shape at all. */
export function commonType(node: Node, a: Type, b: Type): Type {
  if (a.dtype !== b.dtype) reject(node, `a sequence holds ${a.dtype} or ${b.dtype}, not both`);
  if (a.shape === undefined || b.shape === undefined || a.shape.length !== b.shape.length) return makeType(a.dtype);
  const other = b.shape;
  return makeType(
    a.dtype,
    a.shape.map((dim, axis): Dim => (dim === other[axis] ? dim : "?")),
  );
}

/** A position in a sequence of `length`, which may count from the end. `reach` 1 allows the place after the last. */
export function positionAt(
  node: Node,
  inputs: readonly RuntimeValue[],
  index: number,
  length: number,
  reach: 0 | 1,
): number {
  const given = scalarOf(node, tensorAt(node, inputs, index));
  const position = given < 0 ? given + length : given;
  if (position >= 0 && position < length + reach) return position;
  return reject(node, `position ${given} is outside of a sequence of ${length}`);
}
