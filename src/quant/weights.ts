import { elementCount, type Quant, type Tensor } from "../ir/graph.ts";
import { makeTensor, valuesOf } from "../ir/tensor.ts";
import type { WeightPlan } from "./format.ts";
import { quantizeInt4 } from "./int4.ts";

/** Weights as a plan stores them: a symmetric scale for each index of `axis`. */
export function quantizeWeightsAs(tensor: Tensor, axis: number | undefined, plan: WeightPlan): Tensor {
  if (plan.weights === "int4") return quantizeInt4(tensor, axis, plan.block, plan.scales);
  return quantizeWeights(tensor, axis);
}

/**
 * Symmetric int8 weights in [−127, 127], one scale for each index of `axis` (the whole tensor without one): the largest
 * magnitude is the last code, so that nothing is clipped.
 */
export function quantizeWeights(tensor: Tensor, axis: number | undefined): Tensor {
  const values = valuesOf(tensor) as ArrayLike<number>;
  const channels = axis === undefined ? 1 : tensor.shape[axis];
  const inner = axis === undefined ? values.length : elementCount(tensor.shape.slice(axis + 1));
  const largest = new Float64Array(channels);
  for (let start = 0, channel = 0; start < values.length; start += inner, channel = (channel + 1) % channels) {
    for (let index = start; index < start + inner; index++) {
      largest[channel] = Math.max(largest[channel], Math.abs(values[index]));
    }
  }
  const typical = Math.max(...largest, 1e-30);
  // A channel of zeros has no scale of its own: any positive one serves; 2^−16 of the largest keeps its bias in range.
  const scale = Float32Array.from(
    largest,
    (value) => (value === 0 ? typical : Math.max(value, typical * 2 ** -16)) / 127,
  );
  const codes = new Int8Array(values.length);
  for (let start = 0, channel = 0; start < values.length; start += inner, channel = (channel + 1) % channels) {
    for (let index = start; index < start + inner; index++) {
      codes[index] = Math.min(127, Math.max(-127, Math.round(values[index] / scale[channel])));
    }
  }
  const quant: Quant = { scale, zeroPoint: Int32Array.of(0), ...(axis === undefined ? {} : { axis }) };
  return makeTensor("int8", tensor.shape, codes, quant);
}
