import { elementCount, floatAttr, intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { FLOATS, reject, requireRank, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** `y = x / (bias + alpha/size · Σ x²)^beta`, the sum over the `size` channels around each one (one more after an even one). */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 2);
    return [type];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const size = intAttr(node, "size", 0);
    if (size < 1) reject(node, `size ${size} is not positive`);
    const [alpha, beta, bias] = [
      floatAttr(node, "alpha", 1e-4),
      floatAttr(node, "beta", 0.75),
      floatAttr(node, "bias", 1),
    ];
    const channels = tensor.shape[1];
    const plane = elementCount(tensor.shape.slice(2));
    const source = doublesOf(tensor);
    const values = Float64Array.from(source, (x, index) => {
      const channel = Math.floor(index / plane) % channels;
      const first = Math.max(0, channel - Math.floor((size - 1) / 2));
      const last = Math.min(channels - 1, channel + Math.ceil((size - 1) / 2));
      let squares = 0;
      for (let other = first; other <= last; other++) squares += source[index + (other - channel) * plane] ** 2;
      return x / (bias + (alpha / size) * squares) ** beta;
    });
    return [fromDoubles(tensor.dtype, tensor.shape, values)];
  },
  macs: (node, inputs) => sizeOf(inputs[0]?.shape) * intAttr(node, "size", 1),
};

export default op;
