import { elementCount, floatAttr } from "../ir/graph.ts";
import { rmsNormGradient } from "./gradient/normalise.ts";
import { lowerNorm } from "./lowering/normalise.ts";
import type { Op } from "./op.ts";
import { broadcastOffsets } from "./shared/index.ts";
import { axisAttr, broadcastDims, FLOATS, reject, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** `x / √(mean(x²) + epsilon) · scale`, the mean over the axes from `axis` to the last. */
const op: Op = {
  gradient: rmsNormGradient,
  integer: lowerNorm(false),
  operands: { data: [0] },
  infer(node, inputs) {
    const x = typeAt(node, inputs, 0, FLOATS);
    const scale = typeAt(node, inputs, 1, FLOATS);
    if (x.shape) axisAttr(node, x.shape.length, -1);
    const spread = broadcastDims(node, [x.shape, scale.shape]);
    if (spread && spread.length !== x.shape?.length) reject(node, "the scale has more axes than the input");
    return [{ ...x, dtype: scale.dtype }];
  },
  evaluate(node, inputs) {
    const [x, scale] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const axis = axisAttr(node, x.shape.length, -1);
    const count = elementCount(x.shape.slice(axis));
    const epsilon = floatAttr(node, "epsilon", 1e-5);
    const [values, scales] = [doublesOf(x), doublesOf(scale)];
    const places = broadcastOffsets(scale.shape, x.shape);
    const result = new Float64Array(values.length);
    for (let start = 0; start < values.length; start += count) {
      let squares = 0;
      for (let index = start; index < start + count; index++) squares += values[index] ** 2;
      const factor = 1 / Math.sqrt(squares / count + epsilon);
      for (let index = start; index < start + count; index++) {
        result[index] = values[index] * factor * scales[places[index]];
      }
    }
    return [fromDoubles(scale.dtype, x.shape, result)];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
