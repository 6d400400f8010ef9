import { type Attr, intAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { int64 } from "../../ir/tensor.ts";
import { dtypeNumber } from "../dtypes.ts";
import {
  beside,
  type Conversion,
  type ConvertContext,
  type Family,
  hintOf,
  withAttrs,
  withInput,
} from "./conversion.ts";

/** Defaults that changed, attributes that went away, and operators that only changed their name. */

/** Opset 1 marked inputs that could be overwritten in place. */
const consumed: Conversion = { before: 6, convert: (node) => withAttrs(node, { consumed_inputs: undefined }) };

function defaultOf(before: number, name: string, attr: Attr): Conversion {
  return { before, convert: (node) => (node.attrs.has(name) ? node : withAttrs(node, { [name]: attr })) };
}

/** Before 6 `to` was the type's name in upper case. */
const castByName: Conversion = {
  before: 6,
  convert(node) {
    const name = stringAttr(node, "to", "");
    if (name === "") return node;
    const dtype = name === "FLOAT" ? "float32" : name === "DOUBLE" ? "float64" : name.toLowerCase();
    return withAttrs(node, { to: { i: dtypeNumber(dtype as "float32") ?? 0 } });
  },
};

/** The second operand with ones after its dimensions, so that they stand at `axis` of the first. */
function placedAt(node: Node, axis: number, context: ConvertContext): readonly Node[] {
  const [rank, own] = [context.rank(node.inputs[0]), context.rank(node.inputs[1])];
  if (rank === undefined || own === undefined) return [node];
  const first = axis < 0 ? axis + rank : axis;
  const count = rank - own - first;
  if (count <= 0 || first < 0) return [node];
  const hint = hintOf(node);
  const axes = Array.from({ length: count }, (_, index) => own + index);
  const placed = context.fresh(`${hint}/placed`);
  const list = context.add(`${hint}/axes`, int64([count], axes));
  return [beside(node, "Unsqueeze", [node.inputs[1], list], placed), withInput(node, 1, placed)];
}

/** Before 7 operands were only broadcast where asked: as numpy does, or from `axis` on. */
const broadcast: Conversion = {
  before: 7,
  convert(node, context) {
    const bare = withAttrs(node, { broadcast: undefined, consumed_inputs: undefined, axis: undefined });
    const asked = intAttr(node, "broadcast", 0) === 1 && node.attrs.has("axis");
    return asked ? placedAt(bare, intAttr(node, "axis", 0), context) : bare;
  },
};

/** Before 7 a slope of several numbers was one a channel. */
const channelSlope: Conversion = {
  before: 7,
  convert: (node, context) => (context.rank(node.inputs[1]) === 1 ? placedAt(node, 1, context) : node),
};

const outputSequence: Conversion = { before: 7, convert: (node) => withAttrs(node, { output_sequence: undefined }) };

const binary = ["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater"];
const unary = [
  "Abs",
  "Ceil",
  "Clip",
  "Elu",
  "Exp",
  "Floor",
  "HardSigmoid",
  "InstanceNormalization",
  "LeakyRelu",
  "Log",
  "Neg",
  "Reciprocal",
  "Relu",
  "Selu",
  "Sigmoid",
  "Sqrt",
  "Sum",
  "Max",
  "Min",
  "Mean",
  "Tanh",
]; // prettier-ignore

export const defaults: Family = {
  ...Object.fromEntries(binary.map((op) => [op, [broadcast]])),
  ...Object.fromEntries(unary.map((op) => [op, [consumed]])),
  Gemm: [{ before: 7, convert: (node) => withAttrs(node, { broadcast: undefined }) }],
  PRelu: [consumed, channelSlope],
  Cast: [castByName],
  Concat: [defaultOf(4, "axis", { i: 1 })],
  LSTM: [outputSequence],
  GRU: [outputSequence],
  RNN: [outputSequence],
  Scatter: [{ before: 26, convert: (node) => ({ ...node, op: "ScatterElements" }) }],
};
