/** Quantized tensors and the real numbers that they stand for: real = (code − zeroPoint) · multiplier · scale. */
import { type DType, elementCount, type Quant, type Tensor } from "./graph.ts";
import { decode, encode, integerRange } from "./numbers.ts";
import { roundHalfEven } from "./numeric.ts";
import { stridesOf } from "./tensor.ts";

/** For each element, which of the scales is its own: 0 where there is one scale. */
export function scaleIndex(shape: readonly number[], quant: Quant): (element: number) => number {
  const { axis, block } = quant;
  if (axis === undefined || quant.scale.length === 1) return () => 0;
  const size = shape[axis];
  const inner = stridesOf(shape)[axis];
  if (block === undefined) return (element) => Math.floor(element / inner) % size;
  const blocks = Math.ceil(size / block);
  return (element) => {
    const position = Math.floor(element / inner) % size;
    const outer = Math.floor(element / (inner * size));
    return (outer * blocks + Math.floor(position / block)) * inner + (element % inner);
  };
}

/** For each element the integer factor of its code: 1 where the tensor has no multipliers. */
export function multiplierIndex(shape: readonly number[], quant: Quant): (element: number) => number {
  const { axis, multipliers } = quant;
  if (multipliers === undefined || axis === undefined) return () => 1;
  const { block, values } = multipliers;
  const size = shape[axis];
  const inner = stridesOf(shape)[axis];
  const blocks = Math.ceil(elementCount(shape) / size / block);
  return (element) => {
    const channel = Math.floor(element / inner) % size;
    const position = Math.floor(element / (inner * size)) * inner + (element % inner);
    return values[channel * blocks + Math.floor(position / block)];
  };
}

/** Codes → float32, as DequantizeLinear computes them. Tensors without `quant` are decoded as they are. */
export function dequantize(tensor: Tensor): Tensor {
  const { quant, shape } = tensor;
  const codes = decode(tensor);
  if (quant === undefined) return { dtype: "float32", shape, data: Float32Array.from(codes as ArrayLike<number>) };
  const { scale, zeroPoint } = quant;
  const place = scaleIndex(shape, quant);
  const factor = multiplierIndex(shape, quant);
  const data = new Float32Array(codes.length);
  for (let element = 0; element < data.length; element++) {
    const index = place(element);
    const code = (Number(codes[element]) - zeroPoint[zeroPoint.length === 1 ? 0 : index]) * factor(element);
    data[element] = code * scale[index];
  }
  return { dtype: "float32", shape, data };
}

/** Real numbers → codes, as QuantizeLinear computes them: divided in float32, half to even, then the zero point; saturated. */
export function quantize(tensor: Tensor, dtype: DType, quant: Quant): Tensor {
  const values = decode(tensor);
  const { shape } = tensor;
  const { scale, zeroPoint } = quant;
  const place = scaleIndex(shape, quant);
  const factor = multiplierIndex(shape, quant);
  const float = dtype.startsWith("float");
  const [low, high] = float ? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] : integerRange(dtype);
  const codes = new Float64Array(elementCount(shape));
  for (let element = 0; element < codes.length; element++) {
    const index = place(element);
    const steps = Math.fround(Number(values[element]) / (scale[index] * factor(element)));
    const whole = float ? steps : roundHalfEven(Number.isNaN(steps) ? 0 : steps);
    codes[element] = Math.min(high, Math.max(low, whole + zeroPoint[zeroPoint.length === 1 ? 0 : index]));
  }
  return { dtype, shape, data: encode(dtype, codes), quant };
}

/** Weights of 4 bits as the int8 that the array multiplies: code · multiplier, saturated to [−127, 127]. */
export function unpackedWeights(tensor: Tensor): Int8Array {
  const codes = decode(tensor);
  const factor = tensor.quant ? multiplierIndex(tensor.shape, tensor.quant) : () => 1;
  const weights = new Int8Array(codes.length);
  for (let element = 0; element < codes.length; element++) {
    weights[element] = Math.min(127, Math.max(-127, Number(codes[element]) * factor(element)));
  }
  return weights;
}
