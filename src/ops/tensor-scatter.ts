import { intAttr, type Node, stringAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { lowerTensorScatter } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { reject, requireSameDType, resolveAxis, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, optionalTensorAt, room, tensorAt } from "./shared/values.ts";

function isCircular(node: Node): boolean {
  const mode = stringAttr(node, "mode", "linear");
  if (mode !== "linear" && mode !== "circular") reject(node, `the mode ${mode} is not known`);
  return mode === "circular";
}

/**
 * Writes `update` into a cache: in batch b, its step s along `axis` goes to `write_indices[b] + s` (modulo the cache's
 * length in circular mode). Batches are axis 0.
 */
const op: Op = {
  passesThrough: true,
  operands: { data: [0, 1] },
  integer: lowerTensorScatter,
  infer(node, inputs) {
    isCircular(node);
    requireSameDType(node, inputs, 0, 1);
    return [typeAt(node, inputs, 0)];
  },
  evaluate(node, inputs) {
    const [past, update] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const starts = optionalTensorAt(node, inputs, 2);
    const first = starts ? integersOf(starts) : new Array<number>(past.shape[0]).fill(0);
    const axis = resolveAxis(node, intAttr(node, "axis", -2), past.shape.length);
    const circular = isCircular(node);
    const length = past.shape[axis];
    const strides = stridesOf(past.shape);
    const [source, values] = [elementsOf(past), elementsOf(update)];
    const target = room(past.dtype, source.length);
    for (let index = 0; index < source.length; index++) target[index] = source[index];
    if (update.shape.some((size, at) => at !== axis && size !== past.shape[at]) || update.shape[axis] > length) {
      reject(node, `an update of [${update.shape}] does not fit a cache of [${past.shape}]`);
    }
    forEachIndex(update.shape, (index, position) => {
      const step = first[index[0]] + index[axis];
      if (step < 0 || (step >= length && !circular)) reject(node, `step ${step} is outside of ${length}`);
      target[offsetOf(index, strides) + ((step % length) - index[axis]) * strides[axis]] = values[position];
    });
    return [fromElements(past.dtype, past.shape, target)];
  },
};

export default op;
