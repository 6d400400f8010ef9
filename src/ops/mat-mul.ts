import type { DType } from "../ir/graph.ts";
import { matMulGradient } from "./gradient/matmul.ts";
import { lowerMatMul } from "./lowering/linear.ts";
import type { Op } from "./op.ts";
import { multiply, multiplyExactly, productDims, productMacs } from "./shared/matmul.ts";
import { FLOATS, makeType, requireSameDType, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, fromElements, room, tensorAt } from "./shared/values.ts";

const INTEGERS: readonly DType[] = ["int32", "uint32", "int64", "uint64"];

/** `a · b` as NumPy's matmul: leading axes broadcast; a list on the left is a row, on the right a column. */
const op: Op = {
  integer: lowerMatMul,
  carries: true,
  gradient: matMulGradient,
  operands: { data: [0, 1], weights: { input: 1, axis: (_node, rank) => rank - 1 } },
  infer(node, inputs) {
    const [a, b] = [0, 1].map((index) => typeAt(node, inputs, index, [...FLOATS, ...INTEGERS]));
    requireSameDType(node, inputs, 0, 1);
    return [makeType(a.dtype, productDims(node, a.shape, b.shape))];
  },
  evaluate(node, inputs) {
    const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    if (!INTEGERS.includes(a.dtype)) {
      const { shape, values } = multiply(
        node,
        { shape: a.shape, values: doublesOf(a) },
        { shape: b.shape, values: doublesOf(b) },
      );
      return [fromDoubles(a.dtype, shape, values)];
    }
    const { shape, values } = multiplyExactly(node, a, b);
    const target = room(a.dtype, values.length);
    const narrow = a.dtype === "int32" || a.dtype === "uint32";
    values.forEach((value, index) => {
      target[index] = narrow ? Number(BigInt.asIntN(32, value)) : value;
    });
    return [fromElements(a.dtype, shape, target)];
  },
  macs: (_, inputs, outputs) => productMacs(inputs[0]?.shape, outputs[0].shape),
};

export default op;
