import { type DType, elementCount, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import { decodeSmallFloat, isSmallFloat } from "../ir/numeric.ts";
import { dequantizeGradient } from "./gradient/quantize.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { scalePlaces } from "./shared/quantize.ts";
import { FLOATS, makeType, nameOfInput, reject, typeAt } from "./shared/types.ts";
import { elementsOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

function numbers(tensor: Tensor): ArrayLike<number> {
  const { dtype } = tensor;
  const codes = elementsOf(tensor) as ArrayLike<number>;
  return isSmallFloat(dtype) ? Float64Array.from(codes, (code) => decodeSmallFloat(dtype, code)) : codes;
}

const CODES: readonly DType[] = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "int4",
  "uint4",
  "int2",
  "uint2",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "float4e2m1",
];

/**
 * `y = (x − zero_point) · scale`: one scale for all, one a slice of `axis`, or one a block of `block_size` along it. The
 * result has the scale's dtype (or `output_dtype`).
 */
const op: Op = {
  gradient: dequantizeGradient,
  infer(node, inputs) {
    const scale = typeAt(node, inputs, 1, FLOATS);
    const wanted = dtypeOfCode(intAttr(node, "output_dtype", 0));
    // Codes are read as they are stored, so a quantized input's own dtype is looked at, not its logical one.
    const { dtype, shape } = inputs[0] ?? typeAt(node, inputs, 0);
    if (!CODES.includes(dtype)) reject(node, `${nameOfInput(node, 0)} is ${dtype}, which holds no codes`);
    const zero = inputs[2]?.dtype;
    if (zero !== undefined && zero !== dtype) reject(node, `the codes are ${dtype} but their zero point is ${zero}`);
    return [makeType(wanted ?? scale.dtype, shape)];
  },
  evaluate(node: Node, inputs) {
    const [tensor, scale] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const zero = optionalTensorAt(node, inputs, 2);
    const wanted = dtypeOfCode(intAttr(node, "output_dtype", 0));
    const at = scalePlaces(node, tensor.shape, scale.shape);
    const [codes, factors] = [numbers(tensor), numbers(scale)];
    const zeros = zero && numbers(zero);
    if (zero && elementCount(zero.shape) !== elementCount(scale.shape))
      reject(node, "scale and zero point differ in shape");
    const values = Float64Array.from(codes, (code, index) => (code - (zeros?.[at(index)] ?? 0)) * factors[at(index)]);
    const half = wanted === "float16" || wanted === "bfloat16";
    return [fromDoubles(half ? "float32" : (wanted ?? scale.dtype), tensor.shape, values)];
  },
};

export default op;
