import { elementCount, intAttr, intsAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import {
  ACTIVATIONS,
  codesAt,
  codeType,
  makeCodes,
  postInputs,
  requireChannels,
  storedType,
} from "../shared/npu/codes.ts";
import { foldGroups } from "../shared/npu/reduce.ts";
import { postStage } from "../shared/npu/requantize.ts";
import { integerRoot, ROOT_BITS, requireSquares } from "../shared/npu/root.ts";
import { reducedAxes, reducedShape } from "../shared/reduce.ts";

/**
 * v = ⌊√(Q·2^20)⌋ with Q = Σ (x − x_zero)² < 2^32 along `axes` (all if absent): a magnitude that keeps the dynamic range of
 * its parts, whose squares no 16 bits hold. Inputs x, multiplier, shift; `wide = 1`.
 */
export default {
  infer(node, inputs) {
    const { dtype, shape } = codeType(node, inputs, 0, ACTIVATIONS);
    const axes = reducedAxes(node, intsAttr(node, "axes"), shape.length);
    requireSquares(node, dtype, intAttr(node, "x_zero", 0), elementCount([...axes].map((axis) => shape[axis])));
    for (const index of [1, 2]) requireChannels(node, inputs, index, 1);
    return [storedType(node, reducedShape(shape, axes, intAttr(node, "keepdims", 1) === 1))];
  },
  evaluate(node, inputs) {
    const zero = intAttr(node, "x_zero", 0);
    const squares = foldGroups(node, codesAt(node, inputs, 0), 0, (total, code) => total + (code - zero) ** 2);
    const wide = { ...node, attrs: new Map([...node.attrs, ["wide", { i: 1 }] as const]) };
    const store = postStage(wide, postInputs(node, inputs, 1));
    const root = (square: number) => Number(integerRoot(BigInt(square) << BigInt(2 * ROOT_BITS)));
    return [
      makeCodes(storedType(node, squares.shape).dtype, squares.shape, (at) => store(root(squares.totals[at]), 0)),
    ];
  },
} satisfies Op;
