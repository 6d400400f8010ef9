import { intAttr } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { makeType, resolveAxis, typeAt } from "./shared/types.ts";
import { type Element, elementsOf, fromElements, room, tensorAt } from "./shared/values.ts";

function compareSlices(a: readonly Element[], b: readonly Element[]): number {
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return a[index] < b[index] ? -1 : 1;
  }
  return 0;
}

/**
 * The distinct elements, or the distinct slices along `axis`, sorted or in the order of their first appearance; where
 * each first appears, which one each input element is, and how often each occurs.
 */
const op: Op = {
  hostOnly: "how much it finds depends on the data, and the chip's commands have fixed sizes",
  infer(node, inputs) {
    const { dtype, shape } = typeAt(node, inputs, 0);
    const list = makeType("int64", ["?"]);
    if (!node.attrs.has("axis")) return [makeType(dtype, ["?"]), list, list, list];
    const axis = shape && resolveAxis(node, intAttr(node, "axis", 0), shape.length);
    return [makeType(dtype, axis === undefined ? undefined : shape?.with(axis, "?")), list, list, list];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const flat = !node.attrs.has("axis");
    const shape = flat ? [elementsOf(data).length] : data.shape;
    const axis = flat ? 0 : resolveAxis(node, intAttr(node, "axis", 0), shape.length);
    const { outer, size, inner } = axisView(shape, axis);
    const source = elementsOf(data);
    const slices = Array.from({ length: size }, (_, index) =>
      Array.from({ length: outer * inner }, (_, at) => {
        return source[(Math.floor(at / inner) * size + index) * inner + (at % inner)];
      }),
    );
    const known = new Map<string, number>();
    const groups: { slice: readonly Element[]; members: number[] }[] = [];
    slices.forEach((slice, index) => {
      const key = JSON.stringify(slice.map(String));
      const group = known.get(key);
      if (group !== undefined) groups[group].members.push(index);
      else known.set(key, groups.push({ slice, members: [index] }) - 1);
    });
    if (intAttr(node, "sorted", 1) !== 0) groups.sort((a, b) => compareSlices(a.slice, b.slice));
    const values = room(data.dtype, outer * groups.length * inner);
    const inverse = new Array<number>(size).fill(0);
    groups.forEach(({ slice, members }, group) => {
      for (const member of members) inverse[member] = group;
      slice.forEach((element, at) => {
        values[(Math.floor(at / inner) * groups.length + group) * inner + (at % inner)] = element;
      });
    });
    const list = (entries: readonly number[]) => int64([entries.length], entries);
    return [
      fromElements(data.dtype, shape.with(axis, groups.length), values),
      list(groups.map((group) => group.members[0])),
      list(inverse),
      list(groups.map((group) => group.members.length)),
    ];
  },
};

export default op;
