import { elementCount, floatAttr, intAttr, type Node } from "../ir/graph.ts";
import { groupNormGradient } from "./gradient/normalise.ts";
import type { Op } from "./op.ts";
import { standardised } from "./shared/normalise.ts";
import { FLOATS, reject, requireRank, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

function groupsOf(node: Node, channels: number): number {
  const groups = intAttr(node, "num_groups", 0);
  if (groups < 1 || channels % groups !== 0) reject(node, `${channels} channels do not divide into ${groups} groups`);
  return groups;
}

/** The channels of each image fall into `num_groups` runs that are standardised as one; scale and bias are a channel's. */
const op: Op = {
  gradient: groupNormGradient(groupsOf),
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 3);
    for (const index of [1, 2]) requireRank(node, typeAt(node, inputs, index, FLOATS), index, 1, 1);
    const channels = type.shape?.[1];
    if (typeof channels === "number") groupsOf(node, channels);
    return [type];
  },
  evaluate(node, inputs) {
    const [tensor, scale, bias] = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const channels = tensor.shape[1];
    const plane = elementCount(tensor.shape.slice(2));
    const [factors, shifts] = [doublesOf(scale), doublesOf(bias)];
    if (factors.length !== channels || shifts.length !== channels)
      reject(node, `scale and bias need ${channels} numbers each`);
    const run = (channels / groupsOf(node, channels)) * plane;
    const values = standardised(doublesOf(tensor), run, floatAttr(node, "epsilon", 1e-5));
    const shifted = values.map((value, index) => {
      const channel = Math.floor(index / plane) % channels;
      return factors[channel] * value + shifts[channel];
    });
    return [fromDoubles(tensor.dtype, tensor.shape, shifted)];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
