/** Shapes of numpy's batched matrix product. */
import { elementCount, type Node } from "../../../ir/graph.ts";
import { broadcastOffsets, broadcastShapes } from "../index.ts";
import { reject } from "../types.ts";

export interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** For each product of the batch, the offset of its matrices in a and b, in elements. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly shape: readonly number[];
}

/** A 1-D a is a row, a 1-D b a column, and their axis vanishes from the result. Throws where the shapes do not fit. */
export function productOf(node: Node, a: readonly number[], b: readonly number[]): Product {
  if (a.length === 0 || b.length === 0) reject(node, "a matrix product takes no scalars");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [rows, depth] = left.slice(-2);
  const columns = right[right.length - 1];
  if (right[right.length - 2] !== depth) reject(node, `[${a}] and [${b}] have no matrix product`);
  const batch = broadcastShapes(node, [left.slice(0, -2), right.slice(0, -2)]);
  const offsets = (shape: readonly number[]) =>
    broadcastOffsets(shape.slice(0, -2), batch).map((index) => index * elementCount(shape.slice(-2)));
  return {
    rows,
    columns,
    depth,
    left: offsets(left),
    right: offsets(right),
    shape: [...batch, ...(a.length === 1 ? [] : [rows]), ...(b.length === 1 ? [] : [columns])],
  };
}
