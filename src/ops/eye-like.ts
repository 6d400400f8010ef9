import { type DType, elementCount, intAttr, type Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { BOOL, makeType, NUMBERS, reject, requireRank, typeAt } from "./shared/types.ts";
import { fromDoubles, tensorAt } from "./shared/values.ts";

function dtypeOf(node: Node, fallback: DType): DType {
  const given = node.attrs.has("dtype") ? dtypeOfCode(intAttr(node, "dtype", 0)) : fallback;
  if (given !== undefined && (NUMBERS.includes(given) || BOOL.includes(given))) return given;
  return reject(node, `the dtype ${given ?? intAttr(node, "dtype", 0)} is not possible here`);
}

/** A matrix of input 0's shape with ones on diagonal `k` (0: main, above positive) and zeros elsewhere. */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0);
    requireRank(node, type, 0, 2, 2);
    return [makeType(dtypeOf(node, type.dtype), type.shape)];
  },
  evaluate(node, inputs) {
    const { dtype, shape } = tensorAt(node, inputs, 0);
    const [rows, columns] = shape;
    const k = intAttr(node, "k", 0);
    const values = new Float64Array(elementCount(shape));
    for (let row = 0; row < rows; row++) {
      if (row + k >= 0 && row + k < columns) values[row * columns + row + k] = 1;
    }
    // float16 and bfloat16 are stored by whoever runs the graph; here they are float32.
    const wanted = dtypeOf(node, dtype);
    return [fromDoubles(wanted === "float16" || wanted === "bfloat16" ? "float32" : wanted, shape, values)];
  },
};

export default op;
