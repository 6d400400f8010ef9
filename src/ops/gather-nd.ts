import { elementCount, intAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { gatherNdGradient } from "./gradient/move.ts";
import type { Op } from "./op.ts";
import { INDICES, makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { gatherOffsets, integersOf, tensorAt } from "./shared/values.ts";

/**
 * The last axis of the indices holds tuples that name positions, or slices where a tuple is shorter than the rank, in the
 * data; the first `batch_dims` axes of both run side by side.
 */
const op: Op = {
  gradient: gatherNdGradient,
  hostOnly: "it reads each element from a place of its own; Gather along one axis is what the chip moves",
  infer(node, inputs) {
    const data = typeAt(node, inputs, 0);
    const given = typeAt(node, inputs, 1, INDICES);
    requireRank(node, data, 0, 1);
    requireRank(node, given, 1, 1);
    if (data.shape === undefined || given.shape === undefined) return [makeType(data.dtype)];
    const tuple = given.shape[given.shape.length - 1];
    const batch = intAttr(node, "batch_dims", 0);
    if (typeof tuple !== "number") return [makeType(data.dtype)];
    if (batch < 0 || batch >= given.shape.length || batch + tuple > data.shape.length) {
      reject(node, `tuples of ${tuple} after ${batch} batch axes do not fit data of rank ${data.shape.length}`);
    }
    return [makeType(data.dtype, [...given.shape.slice(0, -1), ...data.shape.slice(batch + tuple)])];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const given = tensorAt(node, inputs, 1);
    const batch = intAttr(node, "batch_dims", 0);
    const tuple = given.shape[given.shape.length - 1];
    const strides = stridesOf(tensor.shape);
    const indices = integersOf(given);
    const tuples = elementCount(given.shape.slice(0, -1));
    const perBatch = tuples / Math.max(1, elementCount(given.shape.slice(0, batch)));
    const slice = tensor.shape.slice(batch + tuple);
    const size = elementCount(slice);
    const block = elementCount(tensor.shape.slice(batch));
    const offsets = new Int32Array(tuples * size);
    for (let at = 0; at < tuples; at++) {
      let base = Math.floor(at / perBatch) * block;
      for (let part = 0; part < tuple; part++) {
        const limit = tensor.shape[batch + part];
        const index = indices[at * tuple + part];
        if (index < -limit || index >= limit)
          reject(node, `index ${index} is outside axis ${batch + part} of size ${limit}`);
        base += (index < 0 ? index + limit : index) * strides[batch + part];
      }
      for (let element = 0; element < size; element++) offsets[at * size + element] = base + element;
    }
    return [gatherOffsets(tensor, [...given.shape.slice(0, -1), ...slice], offsets)];
  },
  passesThrough: true,
};

export default op;
