import { intsAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { broadcastStrides, stridedOffsets } from "./shared/index.ts";
import { momentsOf } from "./shared/normalise.ts";
import { reducedShape } from "./shared/reduce.ts";
import { FLOATS, resolveAxis, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** `(x − mean) / (deviation + 1e−9)` over axes, as ONNX's function body has it. */
const op: Op = {
  infer(node, inputs) {
    return [typeAt(node, inputs, 0, FLOATS)];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    const axes = (intsAttr(node, "axes") ?? [0, 2, 3]).map((axis) => resolveAxis(node, axis, x.shape.length));
    const groups = reducedShape(x.shape, new Set(axes), true);
    const group = stridedOffsets(x.shape, broadcastStrides(groups, x.shape));
    const values = doublesOf(x);
    const members = Array.from({ length: groups.reduce((a, b) => a * b, 1) }, (): number[] => []);
    for (let index = 0; index < values.length; index++) members[group[index]].push(values[index]);
    const moments = members.map((list) => momentsOf(list, 0, list.length));
    const result = Float64Array.from(values, (value, index) => {
      const { mean, variance } = moments[group[index]];
      return (value - mean) / (Math.sqrt(variance) + 1e-9);
    });
    return [fromDoubles(x.dtype, x.shape, result)];
  },
};

export default op;
