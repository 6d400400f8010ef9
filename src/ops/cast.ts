import { type DType, intAttr, type Node } from "../ir/graph.ts";
import { castTo } from "./gradient/elementwise.ts";
import { lowerCast } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { castTensor, dtypeOfCode } from "./shared/cast.ts";
import { FLOATS, makeType, reject, typeAt } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

function target(node: Node): DType {
  const code = intAttr(node, "to", 0);
  return dtypeOfCode(code) ?? reject(node, `to = ${code} is no data type that Cast knows`);
}

/** Converts every element to the dtype that `to` names (TensorProto.DataType). The rules are in shared/cast.ts. */
const op: Op = {
  gradient(g) {
    const dy = g.arriving(0);
    const wanted = dy !== undefined && g.wants(0) && FLOATS.includes(dy.dtype);
    return [wanted ? castTo(g, dy, g.input(0).dtype) : undefined];
  },
  integer: lowerCast,
  operands: { data: [0] },
  passesThrough: true,
  infer: (node, inputs) => [makeType(target(node), typeAt(node, inputs, 0).shape)],
  evaluate: (node, inputs) => [
    castTensor(node, tensorAt(node, inputs, 0), target(node), intAttr(node, "saturate", 1) === 1),
  ],
};

export default op;
