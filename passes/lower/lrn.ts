import { rebuild } from "../../src/ir/build.ts";
import { floatAttr, intAttr, isStatic, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * `x · (bias + α/size · Σ x²)^(−β)` with the sum over neighbouring channels: a 1×1 convolution of the squares with a band of
 * α/size, on whose accumulator the power rides.
 */
const pass: Pass = {
  summary: "Says LRN with squares, a 1×1 convolution over neighbouring channels and a power.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      if (node.op !== "LRN" || node.domain !== "") return false;
      const [x] = node.inputs;
      const type = typeOf(graph, x);
      if (!isStatic(type?.shape) || type.shape.length !== 4 || type.dtype !== "float32") return false;
      const channels = type.shape[1];
      const size = intAttr(node, "size", 1);
      const weights = new Float32Array(channels * channels);
      for (let to = 0; to < channels; to++) {
        const first = Math.max(0, to - Math.floor((size - 1) / 2));
        const last = Math.min(channels - 1, to + Math.ceil((size - 1) / 2));
        for (let from = first; from <= last; from++)
          weights[to * channels + from] = floatAttr(node, "alpha", 1e-4) / size;
      }
      const bias = float32([channels], new Float32Array(channels).fill(floatAttr(node, "bias", 1)));
      const attributes = {
        kernel_shape: { ints: [1, 1] },
        strides: { ints: [1, 1] },
        dilations: { ints: [1, 1] },
        pads: { ints: [0, 0, 0, 0] },
        group: { i: 1 },
      };
      const band = float32([channels, channels, 1, 1], weights);
      const sums = build.node("Conv", [build.node("Mul", [x, x]), band, bias], attributes);
      const factor = build.node("Pow", [sums, float32([], [-floatAttr(node, "beta", 0.75)])]);
      build.node("Mul", [x, factor], {}, node.outputs[0]);
      return true;
    }),
};

export default pass;
