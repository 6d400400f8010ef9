import { CompileError } from "../../error.ts";
import { attrs, intAttr, type Node } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import { beside, type Conversion, type ConvertContext, type Family, hintOf, withAttrs } from "./conversion.ts";

/** Before 9 statistics could be kept for each position; nobody exported that. */
const spatial: Conversion = {
  before: 9,
  convert(node) {
    if (intAttr(node, "spatial", 1) === 1) return withAttrs(node, { spatial: undefined, consumed_inputs: undefined });
    throw new CompileError("model/unsupported-attribute", "BatchNormalization with spatial = 0 is not supported", {
      where: `node ${node.origin[0]}`,
      remedy: "export the model with opset 9 or newer",
    });
  },
};

/**
 * Before 14 more than one output meant training: y, running mean, running variance, and two saved ones for the gradient.
 * Before 7 `is_test` said so.
 */
const training: Conversion = {
  before: 14,
  convert(node) {
    const wanted = node.outputs.filter((name) => name !== "").length;
    const trains = wanted > 1 && intAttr(node, "is_test", 0) === 0;
    const bare = withAttrs(node, { is_test: undefined, ...(trains && { training_mode: { i: 1 } }) });
    return { ...bare, outputs: node.outputs.slice(0, trains ? 3 : 1) };
  },
};

/** Before 21 scale and bias were one number a group: each is repeated for the channels of its group. */
function perChannel(node: Node, index: number, count: string, context: ConvertContext): [string, Node[]] {
  const hint = `${hintOf(node)}/${index === 1 ? "scale" : "bias"}`;
  const column = context.fresh(`${hint}/column`);
  const repeated = context.fresh(`${hint}/repeated`);
  const flat = context.fresh(`${hint}/channels`);
  const one = context.add(`${hint}/axis`, int64([1], [1]));
  const all = context.add(`${hint}/all`, int64([1], [-1]));
  const nodes = [
    beside(node, "Unsqueeze", [node.inputs[index], one], column),
    beside(node, "Expand", [column, count], repeated),
    beside(node, "Reshape", [repeated, all], flat),
  ];
  return [flat, nodes];
}

const group: Conversion = {
  before: 21,
  convert(node, context) {
    const hint = hintOf(node);
    const groups = context.add(`${hint}/groups`, int64([1], [intAttr(node, "num_groups", 1)]));
    const one = context.add(`${hint}/one`, int64([1], [1]));
    const [channels, each, count] = ["channels", "each", "count"].map((name) => context.fresh(`${hint}/${name}`));
    const [scale, scaleNodes] = perChannel(node, 1, count, context);
    const [bias, biasNodes] = perChannel(node, 2, count, context);
    return [
      beside(node, "Shape", [node.inputs[0]], channels, attrs({ start: { i: 1 }, end: { i: 2 } })),
      beside(node, "Div", [channels, groups], each),
      beside(node, "Concat", [one, each], count, attrs({ axis: { i: 0 } })),
      ...scaleNodes,
      ...biasNodes,
      { ...node, inputs: [node.inputs[0], scale, bias] },
    ];
  },
};

export const norms: Family = {
  BatchNormalization: [spatial, training],
  GroupNormalization: [group],
};
