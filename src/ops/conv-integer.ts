import { elementCount } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { convolutionMacs, convolve, inferConvolution } from "./shared/convolution.ts";
import { optionalTypeAt, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

/** Convolution of 8-bit codes, each less its zero point (the weights' may be one a filter), summed in int32. */
const op: Op = {
  infer(node, inputs) {
    const [input, weights] = [0, 1].map((index) => typeAt(node, inputs, index, ["int8", "uint8"]));
    optionalTypeAt(node, inputs, 2, [input.dtype]);
    optionalTypeAt(node, inputs, 3, [weights.dtype]);
    return [inferConvolution(node, input, weights, "int32")];
  },
  evaluate(node, inputs) {
    const [input, weights] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const [inputZero, weightZero] = [2, 3].map((index) => {
      const zero = optionalTensorAt(node, inputs, index);
      return zero ? doublesOf(zero) : [0];
    });
    const filter = elementCount(weights.shape.slice(1));
    const { shape, values } = convolve(
      node,
      { shape: input.shape, values: Float64Array.from(doublesOf(input), (code) => code - inputZero[0]) },
      {
        shape: weights.shape,
        values: Float64Array.from(
          doublesOf(weights),
          (code, index) => code - (weightZero.length === 1 ? weightZero[0] : weightZero[Math.floor(index / filter)]),
        ),
      },
    );
    return [fromDoubles("int32", shape, values)];
  },
  macs: (_, inputs, outputs) => convolutionMacs(inputs[1]?.shape ?? [], outputs[0].shape ?? []),
};

export default op;
