import { elementCount } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, requireRank, typeAt, unifyDims } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** Determinant by Gaussian elimination with row pivots. */
function determinant(rows: number[][]): number {
  let product = 1;
  for (let column = 0; column < rows.length; column++) {
    let pivot = column;
    for (let row = column + 1; row < rows.length; row++) {
      if (Math.abs(rows[row][column]) > Math.abs(rows[pivot][column])) pivot = row;
    }
    if (rows[pivot][column] === 0) return 0;
    if (pivot !== column) {
      [rows[pivot], rows[column]] = [rows[column], rows[pivot]];
      product = -product;
    }
    product *= rows[column][column];
    for (let row = column + 1; row < rows.length; row++) {
      const factor = rows[row][column] / rows[column][column];
      for (let at = column; at < rows.length; at++) rows[row][at] -= factor * rows[column][at];
    }
  }
  return product;
}

/** The determinant of each of the square matrices in the last two axes. */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 2);
    if (type.shape) unifyDims(node, type.shape.at(-1) ?? "?", type.shape.at(-2) ?? "?", "the matrices are not square");
    return [makeType(type.dtype, type.shape?.slice(0, -2))];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const shape = tensor.shape.slice(0, -2);
    const side = tensor.shape[shape.length];
    const source = Array.from(doublesOf(tensor));
    const values = Array.from({ length: elementCount(shape) }, (_, matrix) =>
      determinant(
        Array.from({ length: side }, (_, row) =>
          source.slice((matrix * side + row) * side, (matrix * side + row + 1) * side),
        ),
      ),
    );
    return [fromDoubles(tensor.dtype, shape, values)];
  },
};

export default op;
