import { elementCount, intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { checkConvolution, convolutionMacs, inferConvolution, kernelOf } from "./shared/convolution.ts";
import { FLOATS, reject, requireRank, requireSameDType, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";
import { forEachWindow, windowOf } from "./shared/window.ts";

/** The value at a fractional place of a plane, bilinear between its four neighbours; outside is 0. */
function sample(plane: (row: number, column: number) => number, row: number, column: number): number {
  const [top, left] = [Math.floor(row), Math.floor(column)];
  const [down, right] = [row - top, column - left];
  return (
    (1 - down) * ((1 - right) * plane(top, left) + right * plane(top, left + 1)) +
    down * ((1 - right) * plane(top + 1, left) + right * plane(top + 1, left + 1))
  );
}

/**
 * Convolution whose taps are moved by learned offsets (input 2: [n, offset_group·kh·kw·2, oh, ow], row then column) and
 * weighted by a mask (input 4, optional), in two spatial dimensions. Dai et al., "Deformable Convolutional Networks".
 */
const op: Op = {
  hostOnly: "it reads at places that are computed at run time",
  infer(node, inputs) {
    const [input, weights] = [typeAt(node, inputs, 0, FLOATS), typeAt(node, inputs, 1, FLOATS)];
    requireRank(node, input, 0, 4, 4);
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    return [inferConvolution(node, input, weights, input.dtype)];
  },
  evaluate(node, inputs) {
    const [input, weights, offset] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const [bias, mask] = [3, 4].map((index) => optionalTensorAt(node, inputs, index));
    const groups = checkConvolution(node, input.shape, weights.shape);
    const offsetGroups = intAttr(node, "offset_group", 1);
    const [batch, channels, height, width] = input.shape;
    const [filters, perGroup] = weights.shape;
    const kernel = kernelOf(node, weights.shape);
    const window = windowOf(node, [height, width], kernel);
    const taps = elementCount(kernel);
    const plane = elementCount(window.output);
    if (elementCount(offset.shape) !== batch * offsetGroups * taps * 2 * plane) {
      reject(
        node,
        `the offsets have shape [${offset.shape}]; [${[batch, offsetGroups * taps * 2, ...window.output]}] is needed`,
      );
    }
    if (mask && elementCount(mask.shape) !== batch * offsetGroups * taps * plane) {
      reject(node, `the mask has shape [${mask.shape}]; [${[batch, offsetGroups * taps, ...window.output]}] is needed`);
    }
    const [x, w, moves] = [input, weights, offset].map(doublesOf);
    const [added, factors] = [bias && doublesOf(bias), mask && doublesOf(mask)];
    const values = new Float64Array(batch * filters * plane);
    forEachWindow([height, width], window, (position, _, start) => {
      for (let image = 0; image < batch; image++) {
        const sampled = new Float64Array(channels * taps);
        for (let channel = 0; channel < channels; channel++) {
          const base = (image * channels + channel) * height * width;
          const group = image * offsetGroups + Math.floor(channel / (channels / offsetGroups));
          const at = (row: number, column: number): number =>
            row >= 0 && row < height && column >= 0 && column < width ? x[base + row * width + column] : 0;
          for (let tap = 0; tap < taps; tap++) {
            const move = (group * taps + tap) * 2 * plane + position;
            const row = start[0] + Math.floor(tap / kernel[1]) * window.dilations[0] + moves[move];
            const column = start[1] + (tap % kernel[1]) * window.dilations[1] + moves[move + plane];
            const factor = factors ? factors[(group * taps + tap) * plane + position] : 1;
            sampled[channel * taps + tap] = factor * sample(at, row, column);
          }
        }
        for (let filter = 0; filter < filters; filter++) {
          const first = Math.floor(filter / (filters / groups)) * perGroup * taps;
          let sum = added?.[filter] ?? 0;
          for (let tap = 0; tap < perGroup * taps; tap++)
            sum += sampled[first + tap] * w[filter * perGroup * taps + tap];
          values[(image * filters + filter) * plane + position] = sum;
        }
      }
    });
    return [fromDoubles(input.dtype, [batch, filters, ...window.output], values)];
  },
  macs: (_, inputs, outputs) => convolutionMacs(inputs[1]?.shape ?? [], outputs[0].shape ?? []),
};

export default op;
