import { elementCount, intAttr, type Node } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { axisAttr, constantIntegers, makeType, NUMBERS, reject, typeAt } from "./shared/types.ts";
import { type Element, elementsOf, fromElements, room, scalarOf, tensorAt } from "./shared/values.ts";

function checkedCount(node: Node, k: number, size: number): number {
  return k >= 0 && k <= size ? k : reject(node, `${k} elements are asked of an axis of ${size}`);
}

/** NaN counts as greater than all numbers, as NumPy sorts it. */
function compare(a: Element, b: Element): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
}

/** The k greatest (or least) elements along an axis, in order, and their indices; the lower index wins a tie. */
const op: Op = {
  hostOnly: "it sorts, and the chip does not compare numbers with each other in an order that depends on them",
  passesThrough: true,
  infer(node, inputs, context) {
    const { dtype, shape } = typeAt(node, inputs, 0, NUMBERS);
    typeAt(node, inputs, 1);
    if (shape === undefined) return [makeType(dtype), makeType("int64")];
    const axis = axisAttr(node, shape.length, -1);
    const k = constantIntegers(context, 1)?.[0];
    const size = shape[axis];
    if (k !== undefined && typeof size === "number") checkedCount(node, k, size);
    const result = shape.with(axis, k ?? "?");
    return [makeType(dtype, result), makeType("int64", result)];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, data.shape.length, -1);
    const k = checkedCount(node, scalarOf(node, tensorAt(node, inputs, 1)), data.shape[axis]);
    const sign = intAttr(node, "largest", 1) !== 0 ? -1 : 1;
    const { outer, size, inner } = axisView(data.shape, axis);
    const shape = data.shape.with(axis, k);
    const source = elementsOf(data);
    const values = room(data.dtype, elementCount(shape));
    const indices = new Array<number>(values.length).fill(0);
    for (let block = 0; block < outer; block++) {
      for (let lane = 0; lane < inner; lane++) {
        const at = (index: number) => source[(block * size + index) * inner + lane];
        const order = Array.from({ length: size }, (_, index) => index);
        order.sort((a, b) => sign * compare(at(a), at(b)) || a - b);
        for (let rank = 0; rank < k; rank++) {
          const position = (block * k + rank) * inner + lane;
          values[position] = at(order[rank]);
          indices[position] = order[rank];
        }
      }
    }
    return [fromElements(data.dtype, shape, values), int64(shape, indices)];
  },
};

export default op;
