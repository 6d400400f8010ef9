import { type Attr, intAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { dtypeNumber } from "../dtypes.ts";
import { type Conversion, type Family, withAttrs } from "./conversion.ts";

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

/** Before 7 operands were only broadcast where asked. Without `axis` that is numpy's rule. */
const broadcast: Conversion = {
  before: 7,
  convert(node: Node) {
    const bare = withAttrs(node, { broadcast: undefined, consumed_inputs: undefined });
    return intAttr(node, "broadcast", 0) === 1 && node.attrs.has("axis") ? bare : withAttrs(bare, { axis: undefined });
  },
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
  "PRelu",
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
  Cast: [castByName],
  Concat: [defaultOf(4, "axis", { i: 1 })],
  LSTM: [outputSequence],
  GRU: [outputSequence],
  RNN: [outputSequence],
  Scatter: [{ before: 26, convert: (node) => ({ ...node, op: "ScatterElements" }) }],
};
