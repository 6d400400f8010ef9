import { intAttr } from "../ir/graph.ts";
import { castTo } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { castTensor } from "./shared/cast.ts";
import { FLOATS, makeType, typeAt } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** Converts every element of input 0 to the dtype of input 1. */
const op: Op = {
  gradient(g) {
    const dy = g.arriving(0);
    const wanted = dy !== undefined && g.wants(0) && FLOATS.includes(dy.dtype);
    return [wanted ? castTo(g, dy, g.input(0).dtype) : undefined];
  },
  infer: (node, inputs) => [makeType(typeAt(node, inputs, 1).dtype, typeAt(node, inputs, 0).shape)],
  evaluate(node, inputs) {
    const [source, like] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    return [castTensor(node, source, like.dtype, intAttr(node, "saturate", 1) === 1)];
  },
};

export default op;
