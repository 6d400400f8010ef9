import { channelValues, fromReals, numberOf, realsOf, scaleAxis } from "../../src/ir/channels.ts";
import { intAttr, type Node, type Tensor } from "../../src/ir/graph.ts";
import { constant, type Found, type NewNode, rewrite } from "../../src/ir/rewrite.ts";

const LINEAR = ["Conv", "ConvTranspose", "Gemm", "MatMul"];
const line = (op: string): string => `y = ${op}(x, w${op === "MatMul" ? "" : ", b?"})`;

/** Which axis of the weights belongs to the output's channels; undefined where no single one does. */
function weightAxis(node: Node, weights: Tensor): number | undefined {
  if (node.op === "Conv") return 0;
  if (node.op === "ConvTranspose") return intAttr(node, "group", 1) === 1 ? 1 : undefined;
  if (node.op === "Gemm") return intAttr(node, "transB", 0) === 1 ? 0 : 1;
  return weights.shape.length < 2 ? undefined : weights.shape.length - 1;
}

/** `g · (w∗x + b) = (g·w)∗x + g·b`, one g a channel. */
function after(found: Found): NewNode | undefined {
  const { value, has, node, attrs, tensor, type } = found;
  const [weights, factor, bias] = [tensor("w"), tensor("c"), has("b") ? tensor("b") : undefined];
  const rank = type("y")?.shape?.length;
  if (!weights || !realsOf(weights) || !factor || rank === undefined || (has("b") && !bias)) return undefined;
  const linear = node("y");
  const axis = weightAxis(linear, weights);
  if (axis === undefined) return undefined;
  const channels = weights.shape[axis];
  const given = channelValues(factor, rank, linear.op === "MatMul" ? rank - 1 : 1, channels);
  const known = bias && channelValues(bias, linear.op === "Gemm" ? 2 : 1, linear.op === "Gemm" ? 1 : 0, channels);
  if (!given || (bias && !known)) return undefined;
  const factors = node("z").op === "Div" ? given.map((each) => 1 / each) : given;
  if (!factors.every(Number.isFinite)) return undefined;
  const inputs: NewNode["inputs"][number][] = [value("x"), constant(scaleAxis(weights, axis, factors), "w")];
  if (bias && known) {
    const scaled = known.map((each, channel) => each * factors[channel]);
    inputs.push(constant(fromReals(bias.dtype, [channels], scaled), "b"));
  }
  return { op: linear.op, inputs, attrs: attrs("y") };
}

/** `w∗(c·x) = (c·w)∗x` for one number c: padding with zeros does not mind, and neither does the bias. */
function before(found: Found): NewNode | undefined {
  const { value, has, node, attrs, tensor, type } = found;
  const weights = tensor("w");
  const given = numberOf(tensor("c"));
  const sameRank = type("a")?.shape !== undefined && type("a")?.shape?.length === type("x")?.shape?.length;
  if (!weights || !realsOf(weights) || given === undefined || !sameRank) return undefined;
  const factor = node("a").op === "Div" ? 1 / given : given;
  if (!Number.isFinite(factor) || weights.shape.length === 0) return undefined;
  const scaled = constant(scaleAxis(weights, 0, new Float64Array(weights.shape[0]).fill(factor)), "w");
  const inputs = has("b") ? [value("x"), scaled, value("b")] : [value("x"), scaled];
  return { op: node("z").op, inputs, attrs: attrs("z") };
}

const AFTER = LINEAR.flatMap((op) => ["Mul", "Div"].map((scale) => `${line(op)}\n z = ${scale}(y, c)`));
const BEFORE = LINEAR.flatMap((op) =>
  ["Mul", "Div"].map((scale) => `a = ${scale}(x, c)\n ${line(op).replace("y =", "z =").replace("(x,", "(a,")}`),
);

/** A linear operator and a constant scale are one linear operator. */
export default rewrite({
  summary: "Takes a constant scale before or after Conv, ConvTranspose, Gemm or MatMul into its weights.",
  constants: ["c"],
  match: [...AFTER, ...BEFORE],
  replace: (found) => (found.alternative < AFTER.length ? after(found) : before(found)),
});
