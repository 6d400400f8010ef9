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
import { convolutionMacs, transposedConvolutionOf } from "../shared/npu/convolution.ts";
import { postStage } from "../shared/npu/requantize.ts";
import { forEachWindow } from "../shared/window.ts";

/** Every input spreads over a window of the result: the transpose of npu.Conv. w is [C, O/group, …]. */
export default {
  infer(node, inputs) {
    const x = codeType(node, inputs, 0, ACTIVATIONS);
    const w = codeType(node, inputs, 1, ["int8"]);
    const { shape } = transposedConvolutionOf(node, x, w);
    requireChannels(node, inputs, 2, shape[1]);
    requirePost(node, inputs, 3, shape[1]);
    return [storedType(node, shape)];
  },
  evaluate(node, inputs) {
    const [x, w, bias] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1), codesAt(node, inputs, 2)];
    const { batch, group, inputs: depth, outputs, sizes, window, shape } = transposedConvolutionOf(node, x, w);
    const zero = intAttr(node, "x_zero", 0);
    const plane = elementCount(sizes);
    const pixels = elementCount(window.output);
    const channelOf = (position: number) => Math.floor(position / plane) % (group * outputs);
    const sums = Float64Array.from(
      { length: elementCount(shape) },
      (_, at) => bias.values[bias.values.length === 1 ? 0 : channelOf(at)],
    );
    forEachWindow(sizes, window, (pixel, taps) => {
      for (let image = 0; image < batch; image++) {
        for (let input = 0; input < group * depth; input++) {
          const value = x.values[(image * group * depth + input) * pixels + pixel] - zero;
          const first = image * group * outputs + Math.floor(input / depth) * outputs;
          for (let output = 0; output < outputs; output++) {
            for (let tap = 0; tap < taps.length; tap++) {
              if (taps[tap] < 0) continue;
              sums[(first + output) * plane + taps[tap]] +=
                value * w.values[(input * outputs + output) * taps.length + tap];
            }
          }
        }
      }
    });
    const store = postStage(node, postInputs(node, inputs, 3));
    return [makeCodes(storedType(node, shape).dtype, shape, (at) => store(sums[at], channelOf(at)))];
  },
  macs: (node, inputs) =>
    convolutionMacs(transposedConvolutionOf(node, codeType(node, inputs, 0), codeType(node, inputs, 1))),
} satisfies Op;
