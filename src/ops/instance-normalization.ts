import { elementCount, floatAttr } from "../ir/graph.ts";
import { groupNormGradient } from "./gradient/normalise.ts";
import type { Op } from "./op.ts";
import { standardised } from "./shared/normalise.ts";
import { FLOATS, reject, requireRank, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** `y = scale · (x − mean) / √(variance + epsilon) + bias`, with the mean and variance of each image's channel plane. */
const op: Op = {
  gradient: groupNormGradient((_, channels) => channels),
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 3);
    for (const index of [1, 2]) requireRank(node, typeAt(node, inputs, index, FLOATS), index, 1, 1);
    return [type];
  },
  evaluate(node, inputs) {
    const [tensor, scale, bias] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const channels = tensor.shape[1];
    const plane = elementCount(tensor.shape.slice(2));
    const [factors, shifts] = [doublesOf(scale), doublesOf(bias)];
    if (factors.length !== channels || shifts.length !== channels)
      reject(node, `scale and bias need ${channels} numbers each`);
    const values = standardised(doublesOf(tensor), plane, floatAttr(node, "epsilon", 1e-5));
    const shifted = values.map((value, index) => {
      const channel = Math.floor(index / plane) % channels;
      return factors[channel] * value + shifts[channel];
    });
    return [fromDoubles(tensor.dtype, tensor.shape, shifted)];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
