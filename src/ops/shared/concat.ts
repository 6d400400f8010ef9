/** Joining tensors, for Concat, ConcatFromSequence and Loop's scan outputs. */
import { elementCount, type Node, type Tensor } from "../../ir/graph.ts";
import { axisView } from "./index.ts";
import { reject } from "./types.ts";
import { elementsOf, fromElements, room } from "./values.ts";

/** Tensors of one dtype and rank, end to end along an axis (already resolved). Throws where other dimensions differ. */
export function concatenate(node: Node, tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors;
  if (first === undefined) reject(node, "there is nothing to concatenate");
  for (const { shape } of tensors) {
    const fits =
      shape.length === first.shape.length && shape.every((size, at) => at === axis || size === first.shape[at]);
    if (!fits) reject(node, `[${first.shape}] and [${shape}] do not join along axis ${axis}`);
  }
  const total = tensors.reduce((sum, tensor) => sum + tensor.shape[axis], 0);
  const shape = first.shape.map((size, at) => (at === axis ? total : size));
  const target = room(first.dtype, elementCount(shape));
  let before = 0;
  for (const tensor of tensors) {
    const source = elementsOf(tensor);
    const { outer, size, inner } = axisView(tensor.shape, axis);
    for (let block = 0; block < outer; block++) {
      for (let index = 0; index < size * inner; index++) {
        target[(block * total + before) * inner + index] = source[block * size * inner + index];
      }
    }
    before += size;
  }
  return fromElements(first.dtype, shape, target);
}

/** Tensors of one shape as the slices of a new axis. */
export function stack(node: Node, tensors: readonly Tensor[], axis: number): Tensor {
  const slices = tensors.map((tensor) => ({
    ...tensor,
    shape: [...tensor.shape.slice(0, axis), 1, ...tensor.shape.slice(axis)],
  }));
  return concatenate(node, slices, axis);
}
