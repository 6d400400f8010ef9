/** ArgMax and ArgMin: where along an axis the best element lies. */
import { elementCount, intAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { axisView } from "./index.ts";
import { axisAttr, makeType, NUMBERS, reject, typeAt } from "./types.ts";
import { type Element, elementsOf, fromElements, tensorAt } from "./values.ts";

/** `better(a, b)`: a is strictly better than b. Ties go to the first, or the last with select_last_index. */
export function arg(better: (a: Element, b: Element) => boolean): Op {
  const shapeOf = <D>(shape: readonly D[], axis: number, keep: boolean): (D | 1)[] =>
    keep ? shape.map((dim, at) => (at === axis ? 1 : dim)) : shape.filter((_, at) => at !== axis);
  return {
    hostOnly: "its result is a place, which the host finds in the dequantized numbers",
    infer(node, inputs) {
      const { shape } = typeAt(node, inputs, 0, NUMBERS);
      if (shape === undefined) return [makeType("int64")];
      const axis = axisAttr(node, shape.length, 0);
      if (shape[axis] === 0) reject(node, `axis ${axis} is empty`);
      return [makeType("int64", shapeOf(shape, axis, intAttr(node, "keepdims", 1) === 1))];
    },
    evaluate(node, inputs) {
      const tensor = tensorAt(node, inputs, 0);
      const axis = axisAttr(node, tensor.shape.length, 0);
      const { outer, size, inner } = axisView(tensor.shape, axis);
      if (size === 0) reject(node, `axis ${axis} is empty`);
      const last = intAttr(node, "select_last_index", 0) === 1;
      const source = elementsOf(tensor);
      const shape = shapeOf(tensor.shape, axis, intAttr(node, "keepdims", 1) === 1);
      const places = new BigInt64Array(elementCount(shape));
      for (let line = 0; line < outer * inner; line++) {
        const start = Math.floor(line / inner) * size * inner + (line % inner);
        let best = 0;
        for (let at = 1; at < size; at++) {
          const [now, held] = [source[start + at * inner], source[start + best * inner]];
          if (better(now, held) || (last && now === held)) best = at;
        }
        places[line] = BigInt(best);
      }
      return [fromElements("int64", shape, places)];
    },
  };
}
