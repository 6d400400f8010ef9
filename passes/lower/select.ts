import { type Builder, rebuild } from "../../src/ir/build.ts";
import { type Graph, intAttr, type Node, type Tensor, typeOf } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { float32, scalar } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";
import { wantInt16 } from "../../src/quant/wishes.ts";

/** A difference times this is beyond 1 unless it is (nearly) nothing: 2^24 tells single-precision numbers apart from 1 on. */
const STEEP = 2 ** 24;
/** TensorProto.DataType of float32. */
const FLOAT = 1;
/**
 * Truth as 0 and 1: `a > b` is `clip(2²⁴·(a − b), 0, 1)`, `a = b` is `1 − |clip(2²⁴·(a − b), −1, 1)|`, and, or and not are product,
 * maximum and 1 − c. A selection is `c·x + (1 − c)·y`. On codes all of this is exact: a difference of one code saturates.
 */
const pass: Pass = {
  summary: "Says comparisons, logic and Where on real numbers with differences, clips and products.",
  run(graph) {
    const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
    const known = new Map<string, string>();
    const wide: string[] = [];
    const next = rebuild(graph, (node, build) => {
      if (node.domain !== "" || typeOf(graph, node.outputs[0])?.dtype !== "float32") return false;
      const isCast = node.op === "Cast" && intAttr(node, "to", 0) === FLOAT && isTruth(graph, node.inputs[0]);
      if (!isCast && node.op !== "Where") return false;
      const [condition, x, y] = node.inputs;
      if (!expressible(graph, makers, condition)) return false;
      const truth = { graph, makers, known, wide, build };
      if (isCast) build.node("Identity", [express(truth, condition)], {}, node.outputs[0]);
      else select(truth, node, condition, x, y);
      return true;
    });
    return next === graph ? graph : wantInt16(next, wide);
  },
};

export default pass;

interface Truth {
  readonly graph: Graph;
  readonly makers: ReadonlyMap<string, Node>;
  /** Truths that were expressed already, by the boolean value's name. */
  readonly known: Map<string, string>;
  /** What is compared: in 8 bits much would be equal that is not. */
  readonly wide: string[];
  readonly build: Builder;
}

const COMPARISONS = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]);
const LOGIC = new Set(["And", "Or", "Not", "Xor"]);

function isTruth(graph: Graph, name: string): boolean {
  return typeOf(graph, name)?.dtype === "bool";
}

/** Whether everything that the truth is made of is a comparison of real numbers. */
function expressible(graph: Graph, makers: ReadonlyMap<string, Node>, root: string): boolean {
  const pending = [root];
  const seen = new Set<string>();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (graph.constants.has(name) && !graph.inputs.includes(name)) continue;
    const maker = makers.get(name);
    if (maker?.domain !== "") return false;
    if (LOGIC.has(maker.op)) pending.push(...maker.inputs);
    else if (!COMPARISONS.has(maker.op) && maker.op !== "Cast") return false;
    else if (typeOf(graph, maker.inputs[0])?.dtype !== "float32") return false;
  }
  return true;
}

/** The float32 value that is 1 where the boolean one is true. Depth is that of the logic, which people write. */
function express(truth: Truth, name: string): string {
  const { graph, makers, known, build } = truth;
  const before = known.get(name);
  if (before !== undefined) return before;
  const constant = graph.constants.get(name);
  const made = constant ? build.node("Identity", [asReals(constant)]) : expressNode(truth, makers.get(name) as Node);
  known.set(name, made);
  return made;
}

function expressNode(truth: Truth, node: Node): string {
  const { build } = truth;
  const [a, b] = node.inputs;
  if (COMPARISONS.has(node.op)) truth.wide.push(...[a, b].filter((name) => !truth.graph.constants.has(name)));
  const steep = (left: string, right: string, low: number) =>
    build.node("Clip", [
      build.node("Mul", [build.node("Sub", [left, right]), scalar("float32", STEEP)]),
      scalar("float32", low),
      scalar("float32", 1),
    ]);
  const not = (value: string) => build.node("Sub", [scalar("float32", 1), value]);
  switch (node.op) {
    case "Greater":
      return steep(a, b, 0);
    case "Less":
      return steep(b, a, 0);
    case "GreaterOrEqual":
      return not(steep(b, a, 0));
    case "LessOrEqual":
      return not(steep(a, b, 0));
    case "Equal":
      return not(build.node("Abs", [steep(a, b, -1)]));
    case "Not":
      return not(express(truth, a));
    case "And":
      return build.node("Mul", [express(truth, a), express(truth, b)]);
    case "Or":
      return build.node("Max", [express(truth, a), express(truth, b)]);
    case "Xor":
      return build.node("Abs", [build.node("Sub", [express(truth, a), express(truth, b)])]);
    default: {
      // Cast to bool: everything but zero is true.
      const scaled = build.node("Mul", [a, scalar("float32", STEEP)]);
      return build.node("Abs", [build.node("Clip", [scaled, scalar("float32", -1), scalar("float32", 1)])]);
    }
  }
}

function asReals(truth: Tensor): Tensor {
  return float32(truth.shape, Array.from(decode(truth), Number));
}

function select(truth: Truth, node: Node, condition: string, x: string, y: string): void {
  const { build } = truth;
  const chosen = express(truth, condition);
  const parts = [
    part(truth, x, chosen),
    part(truth, y, () => build.node("Sub", [scalar("float32", 1), chosen])),
  ].filter((each) => each !== undefined);
  if (parts.length === 2) build.node("Add", parts, {}, node.outputs[0]);
  // Nothing on either side: zeros, in the condition's shape.
  else build.node("Identity", [parts[0] ?? build.node("Mul", [chosen, scalar("float32", 0)])], {}, node.outputs[0]);
}

/** One side of a selection: the value where its weight is 1, else zero. Undefined where it is zero anyway. */
function part({ graph, build }: Truth, name: string, weight: string | (() => string)): string | undefined {
  const constant = graph.inputs.includes(name) ? undefined : graph.constants.get(name);
  const values = constant && Array.from(decode(constant), Number);
  if (constant && values?.length === 1 && values[0] === 0) return undefined;
  const by = typeof weight === "string" ? weight : weight();
  if (constant && values?.length === 1 && values[0] === 1 && constant.shape.length === 0) return by;
  return build.node("Mul", [by, name]);
}
