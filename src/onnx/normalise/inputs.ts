import { floatAttr, intAttr, intsAttr, type Node, type Tensor } from "../../ir/graph.ts";
import { float32, int64 } from "../../ir/tensor.ts";
import {
  beside,
  type Conversion,
  type ConvertContext,
  type Family,
  hintOf,
  withAttrs,
  withInput,
} from "./conversion.ts";

/** What was an attribute and has become an input: axes, bounds, sizes, ratios. */

/** A list of integers moves to input `index`; an absent list stays absent. */
function intsToInput(name: string, index: number, before: number): Conversion {
  return {
    before,
    convert(node, context) {
      const values = intsAttr(node, name);
      if (values === undefined) return node;
      const input = context.add(`${hintOf(node)}/${name}`, int64([values.length], values));
      return withInput(withAttrs(node, { [name]: undefined }), index, input);
    },
  };
}

/** A float moves to input `index` as a scalar of the data's type. */
function floatToInput(
  node: Node,
  context: ConvertContext,
  name: string,
  index: number,
  value: number,
): readonly Node[] {
  const constant = context.add(`${hintOf(node)}/${name}`, float32([], [value]));
  const bare = withAttrs(node, { [name]: undefined });
  if (context.onlyFloat32) return [withInput(bare, index, constant)];
  const cast = context.fresh(`${hintOf(node)}/${name}/cast`);
  return [beside(node, "CastLike", [constant, node.inputs[0]], cast), withInput(bare, index, cast)];
}

const clip: Conversion = {
  before: 11,
  convert(node, context) {
    const before: Node[] = [];
    let result = node;
    for (const [name, index] of [
      ["min", 1],
      ["max", 2],
    ] as const) {
      const attr = node.attrs.get(name);
      if (attr === undefined || !("f" in attr)) continue;
      const nodes = floatToInput(result, context, name, index, attr.f);
      before.push(...nodes.slice(0, -1));
      result = nodes[nodes.length - 1];
    }
    return [...before, result];
  },
};

const slice: Conversion = {
  before: 10,
  convert(node, context) {
    let result = node;
    for (const [name, index] of [
      ["starts", 1],
      ["ends", 2],
      ["axes", 3],
    ] as const) {
      const moved = intsToInput(name, index, 10).convert(result, context) as Node;
      result = moved;
    }
    return result;
  },
};

/** Opset 1 called it `paddings`. */
const pad: Conversion = {
  before: 11,
  convert(node, context) {
    const pads = intsAttr(node, "pads") ?? intsAttr(node, "paddings") ?? [];
    const named = withAttrs(node, { pads: undefined, paddings: undefined });
    const placed = withInput(named, 1, context.add(`${hintOf(node)}/pads`, int64([pads.length], pads)));
    if (!node.attrs.has("value")) return placed;
    return floatToInput(placed, context, "value", 2, floatAttr(node, "value", 0));
  },
};

const dropout: Conversion = {
  before: 12,
  convert(node, context) {
    const training = node.attrs.has("is_test") && intAttr(node, "is_test", 0) === 0;
    const ratio = floatAttr(node, "ratio", 0.5);
    const bare = withAttrs(node, { ratio: undefined, is_test: undefined, seed: undefined });
    if (!training) return { ...bare, inputs: [node.inputs[0]] };
    const nodes = floatToInput(bare, context, "ratio", 1, ratio);
    const mode: Tensor = { dtype: "bool", shape: [], data: Uint8Array.of(1) };
    const last = withInput(nodes[nodes.length - 1], 2, context.add(`${hintOf(node)}/training`, mode));
    return [...nodes.slice(0, -1), last];
  },
};

const topK: Conversion = {
  before: 10,
  convert(node, context) {
    const k = context.add(`${hintOf(node)}/k`, int64([1], [intAttr(node, "k", 1)]));
    return withInput(withAttrs(node, { k: undefined }), 1, k);
  },
};

/** Before 18 an even split needed no words; since then its number of parts is said. */
const evenSplit: Conversion = {
  before: 18,
  convert: (node) =>
    node.inputs.length > 1 && node.inputs[1] !== ""
      ? node
      : withAttrs(node, { num_outputs: { i: node.outputs.length } }),
};

/** DFT's axis: an attribute with default 1 in opset 17, an input with default −2 since 20. */
const dft: Conversion = {
  before: 20,
  convert(node, context) {
    const axis = context.add(`${hintOf(node)}/axis`, int64([], [intAttr(node, "axis", 1)]));
    return withInput(withAttrs(node, { axis: undefined }), 2, axis);
  },
};

const axes = (before: number): readonly Conversion[] => [intsToInput("axes", 1, before)];

export const inputs: Family = {
  Squeeze: axes(13),
  Unsqueeze: axes(13),
  ReduceSum: axes(13),
  ReduceMean: axes(18),
  ReduceMax: axes(18),
  ReduceMin: axes(18),
  ReduceProd: axes(18),
  ReduceL1: axes(18),
  ReduceL2: axes(18),
  ReduceLogSum: axes(18),
  ReduceLogSumExp: axes(18),
  ReduceSumSquare: axes(18),
  Reshape: [intsToInput("shape", 1, 5)],
  Split: [intsToInput("split", 1, 13), evenSplit],
  Slice: [slice],
  Clip: [clip],
  Pad: [pad],
  Dropout: [dropout],
  TopK: [topK],
  DFT: [dft],
};
