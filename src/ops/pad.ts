import { type Dim, elementCount, type Node, stringAttr, type Tensor } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import { padGradient } from "./gradient/move.ts";
import { lowerPad } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import { addDims, makeType, reject, resolveAxis, typeAt, unknownShape } from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, optionalTensorAt, room, tensorAt } from "./shared/values.ts";

/** Elements added (negative: removed) before and after each axis. */
function padsOf(node: Node, rank: number, pads: Tensor, axes: Tensor | undefined): [number, number][] {
  const list = integersOf(pads);
  const chosen = axes ? integersOf(axes).map((axis) => resolveAxis(node, axis, rank)) : [...new Array(rank).keys()];
  if (list.length !== chosen.length * 2) reject(node, `${list.length} pads for ${chosen.length} axes`);
  const result = Array.from({ length: rank }, (): [number, number] => [0, 0]);
  chosen.forEach((axis, index) => {
    result[axis] = [list[index], list[index + chosen.length]];
  });
  return result;
}

/** Which input index the output index reads, along one axis; −1 is the constant. */
type Place = (index: number, size: number) => number;

function modulo(value: number, size: number): number {
  return ((value % size) + size) % size;
}

const MODES = new Map<string, Place>([
  ["constant", (index, size) => (index < 0 || index >= size ? -1 : index)],
  ["edge", (index, size) => Math.min(Math.max(index, 0), size - 1)],
  ["wrap", (index, size) => modulo(index, size)],
  // The mirror stands on the border element: the pattern repeats every 2·(size − 1).
  ["reflect", (index, size) => (size === 1 ? 0 : size - 1 - Math.abs(modulo(index, 2 * size - 2) - (size - 1)))],
]);

function modeOf(node: Node): Place {
  const name = stringAttr(node, "mode", "constant");
  return MODES.get(name) ?? reject(node, `the mode ${name} is not known`);
}

function grown(node: Node, dim: Dim, [before, after]: readonly [number, number]): Dim {
  const size = addDims(dim, before, after);
  if (typeof size === "number" && size < 0)
    reject(node, `the pads ${before} and ${after} leave less than nothing of ${dim}`);
  return size;
}

/** Adds elements at the ends of axes (input 1, by `axes` in input 3): a constant, or the border repeated, mirrored or wrapped; negative pads crop. */
const op: Op = {
  gradient: padGradient,
  integer: lowerPad,
  operands: { data: [0] },
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    modeOf(node);
    if (shape === undefined) return [makeType(dtype)];
    const [pads, axes] = [context.constant(1), context.constant(3)];
    const known = pads && (axes || (node.inputs[3] ?? "") === "");
    if (!known) return [makeType(dtype, unknownShape(shape.length))];
    const amounts = padsOf(node, shape.length, pads, axes);
    return [
      makeType(
        dtype,
        shape.map((dim, axis) => grown(node, dim, amounts[axis])),
      ),
    ];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const fill = optionalTensorAt(node, inputs, 2);
    const place = modeOf(node);
    const axes = optionalTensorAt(node, inputs, 3);
    const amounts = padsOf(node, data.shape.length, tensorAt(node, inputs, 1), axes);
    const shape = data.shape.map((dim, axis) => grown(node, dim, amounts[axis]) as number);
    const target = room(data.dtype, elementCount(shape));
    const empty = place(-1, 2) !== -1 && elementCount(data.shape) === 0;
    if (empty && target.length > 0) reject(node, "there is no element to repeat");
    const source = elementsOf(data);
    const constant = fill ? elementsOf(fill)[0] : target[0];
    const strides = stridesOf(data.shape);
    forEachIndex(shape, (index, position) => {
      let offset = 0;
      for (let axis = 0; axis < index.length && offset >= 0; axis++) {
        const at = place(index[axis] - amounts[axis][0], data.shape[axis]);
        offset = at < 0 ? -1 : offset + at * strides[axis];
      }
      target[position] = offset < 0 ? constant : source[offset];
    });
    return [fromElements(data.dtype, shape, target)];
  },
};

export default op;
