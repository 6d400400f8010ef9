import { type DType, intAttr, type Node, type Type } from "../ir/graph.ts";
import { decodeSmallFloat, encodeSmallFloat, isSmallFloat } from "../ir/numeric.ts";
import { quantizeGradient } from "./gradient/quantize.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { quantizeNumber, requireSameShape, scalePlaces } from "./shared/quantize.ts";
import { FLOATS, makeType, optionalTypeAt, reject, typeAt } from "./shared/types.ts";
import { doublesOf, elementsOf, fromElements, optionalTensorAt, room, tensorAt } from "./shared/values.ts";

const CODES: readonly DType[] = [
  "int8",
  "uint8",
  "int16",
  "uint16",
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

/** The zero point's dtype, else `output_dtype`, else uint8. */
function targetOf(node: Node, zero: DType | undefined): DType {
  const code = intAttr(node, "output_dtype", 0);
  const named = code === 0 ? undefined : (dtypeOfCode(code) ?? reject(node, `the data type ${code} is not known`));
  if (zero && named && zero !== named) reject(node, `output_dtype is ${named}, the zero point ${zero}`);
  const dtype = zero ?? named ?? "uint8";
  return CODES.includes(dtype) ? dtype : reject(node, `QuantizeLinear makes no ${dtype}`);
}

/**
 * `saturate(round(x / scale) + zero point)`, halves to the even code, divided in float32; one scale for all, one an index
 * of `axis`, or one a block of `block_size` along it. Small floats are rounded to the nearest, `saturate` or not.
 */
const op: Op = {
  gradient: quantizeGradient,
  infer(node, inputs): Type[] {
    const x = typeAt(node, inputs, 0, [...FLOATS, "int32"]);
    const scale = typeAt(node, inputs, 1, [...FLOATS, "int32"]);
    const zero = optionalTypeAt(node, inputs, 2);
    requireSameShape(node, scale, zero);
    return [makeType(targetOf(node, zero?.dtype), x.shape)];
  },
  evaluate(node, inputs) {
    const [x, scale] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const zero = optionalTensorAt(node, inputs, 2);
    const dtype = targetOf(node, zero?.dtype);
    const place = scalePlaces(node, x.shape, scale.shape);
    const [values, scales] = [doublesOf(x), doublesOf(scale)];
    const zeros = zero && elementsOf(zero);
    const saturate = intAttr(node, "saturate", 1) !== 0;
    const codes = room(dtype, values.length);
    for (let index = 0; index < values.length; index++) {
      const at = place(index);
      const steps = Math.fround(values[index] / scales[at]);
      const shift = Number(zeros?.[at] ?? 0);
      codes[index] = isSmallFloat(dtype)
        ? encodeSmallFloat(dtype, steps + decodeSmallFloat(dtype, shift), saturate)
        : quantizeNumber(steps, shift, dtype);
    }
    return [fromElements(dtype, x.shape, codes)];
  },
};

export default op;
