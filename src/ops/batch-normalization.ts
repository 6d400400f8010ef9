import { elementCount, floatAttr, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import { batchNormGradient } from "./gradient/normalise.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, reject, requireRank, sizeOf, typeAt, unifyDims } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** Mean and population variance of each channel of [n, c, …]. */
function channelMoments(tensor: Tensor, channels: number): { means: Float64Array; variances: Float64Array } {
  const values = doublesOf(tensor);
  const plane = elementCount(tensor.shape.slice(2));
  const each = values.length / channels;
  const means = new Float64Array(channels);
  const variances = new Float64Array(channels);
  const channelOf = (index: number): number => Math.floor(index / plane) % channels;
  for (let index = 0; index < values.length; index++) means[channelOf(index)] += values[index] / each;
  for (let index = 0; index < values.length; index++) {
    const channel = channelOf(index);
    variances[channel] += (values[index] - means[channel]) ** 2 / each;
  }
  return { means, variances };
}

function training(node: Node): boolean {
  return intAttr(node, "training_mode", 0) === 1;
}

/**
 * `y = scale · (x − mean) / √(variance + epsilon) + bias` a channel. In training mode the batch's own mean and variance are
 * taken, and outputs 1 and 2 are the running ones: `momentum · running + (1 − momentum) · batch`.
 */
const op: Op = {
  gradient: batchNormGradient,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 1);
    const channels = type.shape === undefined ? "?" : (type.shape[1] ?? 1);
    for (const index of [1, 2, 3, 4]) {
      const given = typeAt(node, inputs, index, FLOATS);
      requireRank(node, given, index, 1, 1);
      unifyDims(node, channels, given.shape?.[0] ?? "?", `channels against the length of input ${index}`);
    }
    const running = makeType(typeAt(node, inputs, 3).dtype, [channels]);
    return training(node) ? [type, running, running].slice(0, Math.max(1, node.outputs.length)) : [type];
  },
  evaluate(node, inputs) {
    const [tensor, ...rest] = [0, 1, 2, 3, 4].map((index) => tensorAt(node, inputs, index));
    const [scale, bias, givenMean, givenVariance] = rest.map(doublesOf);
    const channels = tensor.shape[1] ?? 1;
    if (rest.some((each) => elementCount(each.shape) !== channels))
      reject(node, `${channels} numbers are needed in inputs 1 to 4`);
    const epsilon = floatAttr(node, "epsilon", 1e-5);
    const batch = training(node) ? channelMoments(tensor, channels) : undefined;
    const [means, variances] = [batch?.means ?? givenMean, batch?.variances ?? givenVariance];
    const plane = elementCount(tensor.shape.slice(2));
    const values = Float64Array.from(doublesOf(tensor), (x, index) => {
      const channel = Math.floor(index / plane) % channels;
      return (scale[channel] * (x - means[channel])) / Math.sqrt(variances[channel] + epsilon) + bias[channel];
    });
    const result = fromDoubles(tensor.dtype, tensor.shape, values);
    if (!batch) return [result];
    const momentum = floatAttr(node, "momentum", 0.9);
    const running = (old: Tensor, now: Float64Array): Tensor => {
      const before = doublesOf(old);
      return fromDoubles(
        old.dtype,
        old.shape,
        now.map((value, at) => before[at] * momentum + value * (1 - momentum)),
      );
    };
    return [result, running(rest[2], batch.means), running(rest[3], batch.variances)];
  },
  macs: (_, inputs) => sizeOf(inputs[0]?.shape),
};

export default op;
