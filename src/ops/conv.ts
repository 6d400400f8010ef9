import { elementCount } from "../ir/graph.ts";
import { convGradient } from "./gradient/convolution.ts";
import { lowerConv } from "./lowering/linear.ts";
import type { Op } from "./op.ts";
import { convolutionMacs, convolve, inferConvolution } from "./shared/convolution.ts";
import { FLOATS, optionalTypeAt, reject, requireSameDType, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** Convolution of [n, c, …] with weights [m, c/group, …] and an optional bias [m]. */
const op: Op = {
  integer: lowerConv,
  carries: true,
  gradient: convGradient,
  operands: { data: [0, 1], weights: { input: 1, axis: () => 0 } },
  infer(node, inputs) {
    const [input, weights] = [typeAt(node, inputs, 0, FLOATS), typeAt(node, inputs, 1, FLOATS)];
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    const bias = optionalTypeAt(node, inputs, 2)?.shape;
    const filters = weights.shape?.[0];
    if (
      bias &&
      (bias.length !== 1 || (typeof bias[0] === "number" && typeof filters === "number" && bias[0] !== filters))
    ) {
      reject(node, `a bias of shape [${bias}] for ${filters ?? "?"} output channels`);
    }
    return [inferConvolution(node, input, weights, input.dtype)];
  },
  evaluate(node, inputs) {
    const [input, weights] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const bias = optionalTensorAt(node, inputs, 2);
    const { shape, values } = convolve(
      node,
      { shape: input.shape, values: doublesOf(input) },
      { shape: weights.shape, values: doublesOf(weights) },
    );
    if (bias) {
      const added = doublesOf(bias);
      const plane = elementCount(shape.slice(2));
      for (let index = 0; index < values.length; index++) values[index] += added[Math.floor(index / plane) % shape[1]];
    }
    return [fromDoubles(input.dtype, shape, values)];
  },
  macs: (_, inputs, outputs) => convolutionMacs(inputs[1]?.shape ?? [], outputs[0].shape ?? []),
};

export default op;
