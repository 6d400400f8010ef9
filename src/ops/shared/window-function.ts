/** HannWindow, HammingWindow and BlackmanWindow: `Σ ±aₖ cos(2πkn / N)`, N the size, or the size less one if not periodic. */
import { type DType, intAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { dtypeOfCode } from "./cast.ts";
import { INDICES, makeType, NUMBERS, reject, typeAt } from "./types.ts";
import { fromDoubles, scalarOf, tensorAt } from "./values.ts";

function dtypeOf(node: Node): DType {
  const dtype = dtypeOfCode(intAttr(node, "output_datatype", 1));
  return dtype && NUMBERS.includes(dtype) ? dtype : reject(node, `output_datatype ${dtype ?? "?"} is not a number's`);
}

/** An operator from the coefficients a₀, a₁, …; the signs alternate. */
export function windowFunction(coefficients: readonly number[]): Op {
  return {
    infer(node, inputs, context) {
      typeAt(node, inputs, 0, INDICES);
      const size = context.constant(0);
      return [makeType(dtypeOf(node), [size ? scalarOf(node, size) : "?"])];
    },
    evaluate(node, inputs) {
      const size = scalarOf(node, tensorAt(node, inputs, 0));
      if (size < 0) reject(node, `the size ${size} is negative`);
      const period = intAttr(node, "periodic", 1) === 1 ? size : size - 1;
      const values = Float64Array.from({ length: size }, (_, n) =>
        coefficients.reduce(
          (sum, a, k) => sum + (k % 2 === 0 ? a : -a) * Math.cos((2 * Math.PI * k * n) / Math.max(1, period)),
          0,
        ),
      );
      const dtype = dtypeOf(node);
      return [fromDoubles(dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype, [size], values)];
    },
  };
}
