import { type DType, elementCount } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { convolutionMacs, convolve, inferConvolution } from "./shared/convolution.ts";
import { quantizeNumber } from "./shared/quantize.ts";
import { optionalTypeAt, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

const CODES: readonly DType[] = ["int8", "uint8"];

/** Convolution of codes, scaled to codes: x, w and y each with scale and zero point (w's may be one a filter), int32 bias. */
const op: Op = {
  infer(node, inputs) {
    const [x, w] = [typeAt(node, inputs, 0, CODES), typeAt(node, inputs, 3, CODES)];
    for (const scale of [1, 4, 6]) typeAt(node, inputs, scale, ["float32"]);
    typeAt(node, inputs, 2, [x.dtype]);
    typeAt(node, inputs, 5, [w.dtype]);
    optionalTypeAt(node, inputs, 8, ["int32"]);
    return [inferConvolution(node, x, w, typeAt(node, inputs, 7, CODES).dtype)];
  },
  evaluate(node, inputs) {
    const [x, xScale, xZero, w, wScale, wZero, yScale, yZero] = Array.from({ length: 8 }, (_, index) =>
      tensorAt(node, inputs, index),
    );
    const bias = optionalTensorAt(node, inputs, 8);
    const filterSize = elementCount(w.shape.slice(1));
    const [weightZeros, scales] = [doublesOf(wZero), doublesOf(wScale)];
    const perFilter = (list: ArrayLike<number>, filter: number) => list[list.length === 1 ? 0 : filter];
    const inputZero = doublesOf(xZero)[0];
    const { shape, values } = convolve(
      node,
      { shape: x.shape, values: Float64Array.from(doublesOf(x), (code) => code - inputZero) },
      {
        shape: w.shape,
        values: Float64Array.from(doublesOf(w), (code, index) => {
          return code - perFilter(weightZeros, Math.floor(index / filterSize));
        }),
      },
    );
    const plane = elementCount(shape.slice(2));
    const [outputScale, outputZero] = [doublesOf(yScale)[0], doublesOf(yZero)[0]];
    const added = bias && doublesOf(bias);
    const codes = values.map((sum, index) => {
      const filter = Math.floor(index / plane) % shape[1];
      const factor = (doublesOf(xScale)[0] * perFilter(scales, filter)) / outputScale;
      return quantizeNumber((sum + (added ? added[filter] : 0)) * factor, outputZero, yZero.dtype);
    });
    return [fromDoubles(yZero.dtype, shape, codes)];
  },
  macs: (_, inputs, outputs) => convolutionMacs(inputs[3]?.shape ?? [], outputs[0].shape ?? []),
};

export default op;
