import { intAttr } from "../ir/graph.ts";
import { cumSumGradient } from "./gradient/move.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { INDICES, NUMBERS, resolveAxis, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, room, scalarOf, tensorAt } from "./shared/values.ts";

/** Running sums along the axis of input 1: with the element itself or without (`exclusive`), from either end (`reverse`). */
const op: Op = {
  gradient: cumSumGradient,
  infer(node, inputs) {
    typeAt(node, inputs, 1, INDICES);
    return [typeAt(node, inputs, 0, NUMBERS)];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const axis = resolveAxis(node, scalarOf(node, tensorAt(node, inputs, 1)), tensor.shape.length);
    const [exclusive, reverse] = [intAttr(node, "exclusive", 0) === 1, intAttr(node, "reverse", 0) === 1];
    const { outer, size, inner } = axisView(tensor.shape, axis);
    const source = elementsOf(tensor);
    const target = room(tensor.dtype, source.length);
    const big = tensor.dtype === "int64" || tensor.dtype === "uint64";
    for (let line = 0; line < outer * inner; line++) {
      const start = Math.floor(line / inner) * size * inner + (line % inner);
      let sum: number | bigint = big ? 0n : 0;
      for (let step = 0; step < size; step++) {
        const at = start + (reverse ? size - 1 - step : step) * inner;
        const before = sum;
        sum = big ? (sum as bigint) + (source[at] as bigint) : (sum as number) + (source[at] as number);
        target[at] = exclusive ? before : sum;
      }
    }
    return [fromElements(tensor.dtype, tensor.shape, target)];
  },
};

export default op;
