import type { Dim, Tensor } from "../ir/graph.ts";
import { concatGradient } from "./gradient/move.ts";
import { lowerConcat } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { concatenate } from "./shared/concat.ts";
import { addDims, axisAttr, makeType, reject, requireSameDType, typeAt, unifyDims } from "./shared/types.ts";
import { allTensors } from "./shared/values.ts";

/** Tensors of one dtype laid end to end along `axis`; all other dimensions agree. */
const op: Op = {
  gradient: concatGradient,
  integer: lowerConcat,
  infer(node, inputs) {
    const types = node.inputs.map((_, index) => typeAt(node, inputs, index));
    if (types.length === 0) reject(node, "there is nothing to concatenate");
    types.forEach((_, index) => {
      requireSameDType(node, inputs, 0, index);
    });
    const rank = types.find((type) => type.shape !== undefined)?.shape?.length;
    if (rank === undefined) return [makeType(types[0].dtype)];
    const axis = axisAttr(node, rank, 0);
    const shape: Dim[] = new Array<Dim>(rank).fill("?");
    const lengths: Dim[] = [];
    for (const type of types) {
      if (type.shape && type.shape.length !== rank) reject(node, `inputs of rank ${rank} and ${type.shape.length}`);
      lengths.push(type.shape?.[axis] ?? "?");
      type.shape?.forEach((dim, at) => {
        if (at !== axis) shape[at] = unifyDims(node, shape[at], dim, `the inputs differ along axis ${at}`);
      });
    }
    shape[axis] = addDims(...lengths);
    return [makeType(types[0].dtype, shape)];
  },
  evaluate(node, inputs) {
    const tensors: Tensor[] = allTensors(node, inputs);
    return [concatenate(node, tensors, axisAttr(node, tensors[0].shape.length, 0))];
  },
};

export default op;
