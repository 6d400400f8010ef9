import { fromReals, numberOf } from "../../src/ir/channels.ts";
import { logical } from "../../src/ir/graph.ts";
import { constant, type Found, type NewNode, rewrite } from "../../src/ir/rewrite.ts";

/** The scale of scores may stand at the queries, at the keys, or be split between both. */
const FORMS = [
  "a = Mul(q, s)\n y = MatMul(a, k)",
  "a = Div(q, s)\n y = MatMul(a, k)",
  "a = Mul(k, s)\n y = MatMul(q, a)",
  "a = Div(k, s)\n y = MatMul(q, a)",
];
/** Two scales in a row behind the MatMul are one. */
const MERGES = ["m = Mul(x, s)\n y = Mul(m, t)", "m = Mul(x, s)\n y = Div(m, t)", "m = Div(x, s)\n y = Div(m, t)"];

function moved({ value, tensor, type, node, fresh, alternative }: Found): NewNode[] | undefined {
  const given = numberOf(tensor("s"));
  const dtype = tensor("s")?.dtype;
  const output = type("y");
  const scaled = type(alternative < 2 ? "q" : "k");
  const same = scaled?.shape !== undefined && scaled.shape.length === type("a")?.shape?.length;
  // With constant weights on a side, the scale belongs into the weights (fuse/scale).
  if (given === undefined || dtype === undefined || !same || tensor("q") || tensor("k")) return undefined;
  const factor = node("a").op === "Div" ? 1 / given : given;
  const scores = fresh(`${value("y")}_unscaled`, output && logical(output));
  return [
    { op: "MatMul", inputs: [value("q"), value("k")], outputs: [scores] },
    { op: "Mul", inputs: [scores, constant(fromReals(dtype, [], [factor]), "s")] },
  ];
}

function merged({ value, tensor, node }: Found): NewNode | undefined {
  const [s, t] = [tensor("s"), tensor("t")];
  const [first, second] = [numberOf(s), numberOf(t)];
  if (!s || !t || first === undefined || second === undefined || s.shape.length > 0) return undefined;
  const factor = (node("m").op === "Div" ? 1 / first : first) * (node("y").op === "Div" ? 1 / second : second);
  return { op: "Mul", inputs: [value("x"), constant(fromReals(s.dtype, t.shape, [factor]), "s")] };
}

/**
 * `(s·q)·k = s·(q·k)`: behind the product of queries and keys the scale of attention is a part of requantization and costs
 * nothing, before it it is work on every query.
 */
export default rewrite({
  summary: "Moves the scale of attention scores behind the MatMul of queries and keys.",
  constants: ["s", "t"],
  match: [...FORMS, ...MERGES],
  replace: (found) => (found.alternative < FORMS.length ? moved(found) : merged(found)),
});
