import { type Dim, floatAttr, intAttr, type Node } from "../ir/graph.ts";
import { gemmGradient } from "./gradient/matmul.ts";
import { lowerGemm } from "./lowering/linear.ts";
import type { Op } from "./op.ts";
import { spread } from "./shared/elementwise.ts";
import {
  broadcastDims,
  makeType,
  NUMBERS,
  optionalTypeAt,
  requireRank,
  requireSameDType,
  sizeOf,
  typeAt,
  unifyDims,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** Rows and columns of an input after its transposition. */
function sides<D extends Dim>(node: Node, name: "transA" | "transB", shape: readonly D[]): [D, D] {
  return intAttr(node, name, 0) !== 0 ? [shape[1], shape[0]] : [shape[0], shape[1]];
}

/** `y = alpha · A · B + beta · C` of matrices, each transposed if asked; C broadcasts to the result and may be absent. */
const op: Op = {
  integer: lowerGemm,
  carries: true,
  gradient: gemmGradient,
  operands: { data: [0, 1], weights: { input: 1, axis: (node) => (intAttr(node, "transB", 0) === 0 ? 1 : 0) } },
  infer(node, inputs) {
    const [a, b] = [typeAt(node, inputs, 0, NUMBERS), typeAt(node, inputs, 1, NUMBERS)];
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    requireRank(node, a, 0, 2, 2);
    requireRank(node, b, 1, 2, 2);
    const [rows, left] = sides(node, "transA", a.shape ?? ["?", "?"]);
    const [right, columns] = sides(node, "transB", b.shape ?? ["?", "?"]);
    unifyDims(node, left, right, "the inner dimensions differ");
    const added = optionalTypeAt(node, inputs, 2)?.shape;
    const shape: Dim[] = [rows, columns];
    if (added) {
      requireRank(node, { dtype: a.dtype, shape: added }, 2, 0, 2);
      broadcastDims(node, [shape, added]);
    }
    return [makeType(a.dtype, shape)];
  },
  evaluate(node, inputs) {
    const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const c = optionalTensorAt(node, inputs, 2);
    const [rows, depth] = sides(node, "transA", a.shape);
    const [depthB, columns] = sides(node, "transB", b.shape);
    unifyDims(node, depth, depthB, "the inner dimensions differ");
    const [x, w] = [doublesOf(a), doublesOf(b)];
    const [rowStep, depthStep] = intAttr(node, "transA", 0) !== 0 ? [1, rows] : [depth, 1];
    const [depthStepB, columnStep] = intAttr(node, "transB", 0) !== 0 ? [1, depth] : [columns, 1];
    const [alpha, beta] = [floatAttr(node, "alpha", 1), floatAttr(node, "beta", 1)];
    const added = c && spread(c, [rows, columns]);
    const values = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < depth; k++)
          sum += x[row * rowStep + k * depthStep] * w[k * depthStepB + column * columnStep];
        const at = row * columns + column;
        values[at] = alpha * sum + (added ? beta * Number(added[at]) : 0);
      }
    }
    return [fromDoubles(a.dtype, [rows, columns], values)];
  },
  macs(node, inputs, outputs) {
    const shape = inputs[0]?.shape;
    return shape === undefined ? 0 : sizeOf(outputs[0].shape) * sizeOf([sides(node, "transA", shape)[1]]);
  },
};

export default op;
