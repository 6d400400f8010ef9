import { elementCount, intAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import {
  ACTIVATIONS,
  codesAt,
  codeType,
  makeCodes,
  postInputs,
  requireChannels,
  requirePost,
  storedType,
} from "../shared/npu/codes.ts";
import { convolutionMacs, convolutionOf } from "../shared/npu/convolution.ts";
import { postStage } from "../shared/npu/requantize.ts";
import { forEachWindow } from "../shared/window.ts";

/** y[n, o, p] = post(bias[o] + Σ (x − x_zero)·w); padding contributes 0. Inputs x, w, bias, then the post stage's. */
export default {
  infer(node, inputs) {
    const x = codeType(node, inputs, 0, ACTIVATIONS);
    const w = codeType(node, inputs, 1, ["int8"]);
    requireChannels(node, inputs, 2, w.shape[0]);
    requirePost(node, inputs, 3, w.shape[0]);
    return [storedType(node, convolutionOf(node, x, w).shape)];
  },
  evaluate(node, inputs) {
    const [x, w, bias] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1), codesAt(node, inputs, 2)];
    const { batch, group, inputs: depth, outputs, sizes, window, shape } = convolutionOf(node, x, w);
    const zero = intAttr(node, "x_zero", 0);
    const plane = elementCount(sizes);
    const pixels = elementCount(window.output);
    const sums = new Float64Array(elementCount(shape));
    forEachWindow(sizes, window, (pixel, taps) => {
      for (let image = 0; image < batch; image++) {
        for (let channel = 0; channel < group * outputs; channel++) {
          const first = image * group * depth + Math.floor(channel / outputs) * depth;
          let sum = bias.values[bias.values.length === 1 ? 0 : channel];
          for (let input = 0; input < depth; input++) {
            for (let tap = 0; tap < taps.length; tap++) {
              if (taps[tap] < 0) continue;
              const weight = w.values[(channel * depth + input) * taps.length + tap];
              sum += (x.values[(first + input) * plane + taps[tap]] - zero) * weight;
            }
          }
          sums[(image * group * outputs + channel) * pixels + pixel] = sum;
        }
      }
    });
    const store = postStage(node, postInputs(node, inputs, 3));
    const channelOf = (position: number) => Math.floor(position / pixels) % (group * outputs);
    return [makeCodes(storedType(node, shape).dtype, shape, (at) => store(sums[at], channelOf(at)))];
  },
  macs: (node, inputs) => convolutionMacs(convolutionOf(node, codeType(node, inputs, 0), codeType(node, inputs, 1))),
} satisfies Op;
