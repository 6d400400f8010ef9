import { type Dim, floatAttr, intAttr, type Node, type Tensor } from "../../ir/graph.ts";
import { stridesOf } from "../../ir/tensor.ts";
import { fusedMatMulGradient } from "../gradient/matmul.ts";
import type { Op } from "../op.ts";
import { stridedOffsets } from "../shared/index.ts";
import { multiply, productDims, productMacs } from "../shared/matmul.ts";
import { FLOATS, makeType, reject, requireSameDType, typeAt } from "../shared/types.ts";
import { doublesOf, fromDoubles, gatherOffsets, tensorAt } from "../shared/values.ts";

/**
 * The order in which a factor's axes are read. transBatch brings the first axis behind the other batch axes
 * ([m, b…, k] is then the batch b… of [m, k]); trans swaps the last two.
 */
function orderOf(node: Node, side: "A" | "B", rank: number): number[] {
  const order = [...new Array(rank).keys()];
  if (intAttr(node, `transBatch${side}`, 0) !== 0) {
    if (rank < 2) reject(node, `transBatch${side} with rank ${rank}`);
    order.splice(rank - 2, 0, ...order.splice(0, 1));
  }
  if (intAttr(node, `trans${side}`, 0) !== 0 && rank >= 2) order.push(...order.splice(rank - 2, 1));
  return order;
}

function dimsOf(node: Node, side: "A" | "B", shape: readonly Dim[] | undefined): Dim[] | undefined {
  return shape && orderOf(node, side, shape.length).map((axis) => shape[axis]);
}

function factorOf(node: Node, side: "A" | "B", tensor: Tensor): Tensor {
  const order = orderOf(node, side, tensor.shape.length);
  const strides = stridesOf(tensor.shape);
  const shape = order.map((axis) => tensor.shape[axis]);
  const turned = order.map((axis) => strides[axis]);
  return gatherOffsets(tensor, shape, stridedOffsets(shape, turned));
}

/** `alpha · A · B`, where either factor may be transposed. */
const op: Op = {
  gradient: fusedMatMulGradient,
  infer(node, inputs) {
    const [a, b] = [typeAt(node, inputs, 0, FLOATS), typeAt(node, inputs, 1, FLOATS)];
    requireSameDType(node, inputs, 0, 1);
    return [makeType(a.dtype, productDims(node, dimsOf(node, "A", a.shape), dimsOf(node, "B", b.shape)))];
  },
  evaluate(node, inputs) {
    const a = factorOf(node, "A", tensorAt(node, inputs, 0));
    const b = factorOf(node, "B", tensorAt(node, inputs, 1));
    const { shape, values } = multiply(
      node,
      { shape: a.shape, values: doublesOf(a) },
      { shape: b.shape, values: doublesOf(b) },
    );
    const alpha = floatAttr(node, "alpha", 1);
    return [
      fromDoubles(
        a.dtype,
        shape,
        values.map((value) => value * alpha),
      ),
    ];
  },
  macs: (node, inputs, outputs) => productMacs(dimsOf(node, "A", inputs[0]?.shape), outputs[0].shape),
};

export default op;
