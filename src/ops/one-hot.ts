import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import { constantIntegers, makeType, NUMBERS, reject, resolveAxis, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, integersOf, room, scalarOf, tensorAt } from "./shared/values.ts";

/** A new axis of `depth` entries: `values[1]` at the index (which may count from the end), `values[0]` elsewhere. */
const op: Op = {
  hostOnly: "it turns integers into truths; a Gather of the rows of an identity matrix says the same",
  infer(node, inputs, context) {
    const { shape } = typeAt(node, inputs, 0, NUMBERS);
    typeAt(node, inputs, 1, NUMBERS);
    const { dtype } = typeAt(node, inputs, 2);
    if (shape === undefined) return [makeType(dtype)];
    const axis = resolveAxis(node, intAttr(node, "axis", -1), shape.length + 1);
    const depth = constantIntegers(context, 1)?.[0] ?? "?";
    if (typeof depth === "number" && depth < 0) reject(node, `the depth is ${depth}`);
    return [makeType(dtype, shape.toSpliced(axis, 0, depth))];
  },
  evaluate(node, inputs) {
    const indices = tensorAt(node, inputs, 0);
    const depth = Math.trunc(scalarOf(node, tensorAt(node, inputs, 1)));
    const values = tensorAt(node, inputs, 2);
    if (elementsOf(values).length !== 2) reject(node, "an off value and an on value are needed at input 2");
    const [off, on] = [elementsOf(values)[0], elementsOf(values)[1]];
    const axis = resolveAxis(node, intAttr(node, "axis", -1), indices.shape.length + 1);
    if (depth < 0) reject(node, `the depth is ${depth}`);
    const shape = indices.shape.toSpliced(axis, 0, depth);
    const { outer, inner } = axisView(shape, axis);
    const chosen = integersOf(indices).map((index) => Math.trunc(index));
    const target = room(values.dtype, outer * depth * inner);
    for (let position = 0; position < target.length; position++) {
      const at = Math.floor(position / inner) % depth;
      const index = chosen[Math.floor(position / (depth * inner)) * inner + (position % inner)];
      target[position] = (index < 0 ? index + depth : index) === at ? on : off;
    }
    return [fromElements(values.dtype, shape, target)];
  },
};

export default op;
