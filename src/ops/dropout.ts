import { castTo } from "./gradient/elementwise.ts";
import type { Gradient } from "./gradient.ts";
import type { IntegerLowering } from "./integer.ts";
import { scalarOf as numberAt } from "./lowering/elementwise.ts";
import { lowerReshape } from "./lowering/move.ts";
import type { Op } from "./op.ts";
import { FLOATS, makeType, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, scalarOf, tensorAt } from "./shared/values.ts";

const integer: IntegerLowering = (context) => {
  if (context.node.outputs[1]) return "its mask has no integer form";
  if (context.node.inputs[2] && numberAt(context, 2) !== 0) return "it drops at random";
  return lowerReshape(context);
};

/** What was kept, and by how much it was raised, follows from the mask; outside training everything is kept as it is. */
const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const [ratio, mode] = [g.optional(1), g.optional(2)];
  if (mode === undefined) return [dy];
  const kept = castTo(g, g.output(1), dy.dtype);
  const raised = g.div(g.mul(dy, kept), ratio ? g.sub(1, castTo(g, ratio, dy.dtype)) : 0.5);
  return [g.emit("Where", [mode, raised, dy])];
};

/**
 * In training mode (input 2) every element is dropped with probability `ratio` (input 1) and the rest are divided by
 * 1 − ratio; otherwise the data pass unchanged. Output 1 tells what was kept.
 */
const op: Op = {
  gradient,
  integer,
  operands: { data: [0] },
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    return [type, makeType("bool", type.shape)].slice(0, Math.max(1, node.outputs.length));
  },
  evaluate(node, inputs, context) {
    const tensor = tensorAt(node, inputs, 0);
    const [ratioTensor, modeTensor] = [optionalTensorAt(node, inputs, 1), optionalTensorAt(node, inputs, 2)];
    const ratio = ratioTensor ? scalarOf(node, ratioTensor) : 0.5;
    const training = modeTensor !== undefined && scalarOf(node, modeTensor) !== 0 && ratio > 0;
    const source = doublesOf(tensor);
    const kept = Uint8Array.from(source, () => (!training || context.random() >= ratio ? 1 : 0));
    const mask = { dtype: "bool", shape: tensor.shape, data: kept } as const;
    if (!training) return [tensor, mask];
    const values = Float64Array.from(source, (x, index) => (kept[index] ? x / (1 - ratio) : 0));
    return [fromDoubles(tensor.dtype, tensor.shape, values), mask];
  },
  deterministic: false,
};

export default op;
