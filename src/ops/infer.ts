import { CompileError } from "../error.ts";
import {
  type Attr,
  type Dim,
  elementCount,
  type Graph,
  graphAttr,
  isStatic,
  type Node,
  type Quant,
  type RuntimeValue,
  subgraphs,
  type Tensor,
  type Type,
} from "../ir/graph.ts";
import { isLazy } from "../ir/tensor.ts";
import { opOf } from "./find.ts";
import type { EvaluateContext, InferContext, Op } from "./op.ts";
import { nameOfNode } from "./shared/types.ts";

/** Shapes are computed from shapes: larger tensors, or more floats than this, are not worked out during inference. */
const KNOWN_ELEMENTS = 1024;

/** What is known inside one graph; `outer` is the graph around it. */
interface Scope {
  readonly types: Map<string, Type>;
  /** Values that turned out to be constant, such as a shape's elements. */
  readonly known: Map<string, Tensor>;
  readonly graph: Graph;
  readonly outer: Scope | undefined;
}

/**
 * The graph with the type of every value, subgraphs included; the same object where nothing was new. Types that carry
 * `quant` keep it and their dtype. What the graph already knew of a shape is kept where an operator cannot tell. Small
 * integer tensors that follow from shapes (Shape → Gather → Concat → Reshape) are worked out on the way.
 * Throws CompileError("model/…") with the node's name.
 */
export function inferTypes(graph: Graph): Graph {
  requireInputTypes(graph);
  return inferScope(graph, undefined, undefined).graph;
}

/** Values of the top graph that no input changes, though nodes compute them: shapes and what follows from shapes. */
export function knownValues(graph: Graph): ReadonlyMap<string, Tensor> {
  requireInputTypes(graph);
  return inferScope(graph, undefined, undefined).scope.known;
}

function requireInputTypes(graph: Graph): void {
  for (const name of graph.inputs) {
    if (graph.types.has(name) || graph.constants.has(name)) continue;
    throw new CompileError("model/unknown-type", `the type of the input "${name}" is not known`, {
      where: `input ${name}`,
      remedy: "give its shape in the recipe's `inputs`",
    });
  }
}

function inferScope(graph: Graph, inputs: readonly Type[] | undefined, outer: Scope | undefined) {
  const scope: Scope = { types: new Map(), known: new Map(), graph, outer };
  for (const [index, name] of graph.inputs.entries()) {
    const type = merge(inputs?.[index], graph.types.get(name));
    if (type !== undefined) scope.types.set(name, type);
  }
  let changed = false;
  const nodes = graph.nodes.map((node) => {
    const typed = inferNode(node, scope);
    changed ||= typed !== node;
    return typed;
  });
  const types = sameTypes(scope.types, graph.types) ? graph.types : scope.types;
  const typed = changed || types !== graph.types ? { ...graph, nodes: changed ? nodes : graph.nodes, types } : graph;
  return { graph: typed, scope };
}

/** Infers one node into the scope; returns it with its subgraphs typed. */
function inferNode(node: Node, scope: Scope): Node {
  const op = opOf(node);
  const typedGraphs = new Map<Graph, Graph>();
  const context: InferContext = {
    constant: (index) => constantOf(scope, node.inputs[index] ?? ""),
    subgraph(graph, inputs) {
      const inner = inferScope(graph, inputs, scope);
      typedGraphs.set(graph, inner.graph);
      return graph.outputs.map((name) => typeIn(inner.scope, name) ?? { dtype: "float32" });
    },
  };
  const inputs = node.inputs.map((name) => (name === "" ? undefined : typeIn(scope, name)));
  const taken = takenBranch(node, context);
  const types = guard(node, () => (taken ? context.subgraph(taken, []) : op.infer(node, inputs, context)));
  for (const [index, name] of node.outputs.entries()) {
    const type = merge(types[index], scope.graph.types.get(name));
    if (name !== "" && type !== undefined) scope.types.set(name, type);
  }
  learn(node, op, inputs, scope);
  return typedGraphs.size === 0 ? node : withGraphs(node, typedGraphs);
}

/** An If whose condition is known: the other branch is never run, and often has no sound types. */
function takenBranch(node: Node, context: InferContext): Graph | undefined {
  if (node.op !== "If" || node.domain !== "") return undefined;
  const condition = context.constant(0);
  if (condition === undefined || isLazy(condition.data)) return undefined;
  return graphAttr(node, condition.data[0] ? "then_branch" : "else_branch");
}

/** A bad size in a file may surface as a RangeError deep inside an operator: still the model's fault. */
function guard<T>(node: Node, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CompileError("model/invalid-node", error.message, { where: nameOfNode(node), cause: error });
  }
}

function typeIn(scope: Scope, name: string): Type | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const constant = at.graph.constants.get(name);
    if (constant !== undefined) return typeOfTensor(constant);
    const type = at.types.get(name);
    if (type !== undefined) return type;
  }
  return undefined;
}

function typeOfTensor({ dtype, shape, quant }: Tensor): Type {
  return quant === undefined ? { dtype, shape } : { dtype, shape, quant };
}

function constantOf(scope: Scope, name: string): Tensor | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    // An input may have a constant as its default: then it is not known.
    if (at.graph.inputs.includes(name)) return undefined;
    const found = at.graph.constants.get(name) ?? at.known.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

const EVALUATION: EvaluateContext = {
  subgraph: () => {
    throw new Error("bug: shapes are not computed through subgraphs");
  },
  random: () => {
    throw new Error("bug: shapes are not computed from random numbers");
  },
};

/** Remembers outputs that follow from known small tensors, or from the shape of the input alone. */
function learn(node: Node, op: Op, types: readonly (Type | undefined)[], scope: Scope): void {
  if (op.deterministic === false || node.domain === "npu" || subgraphs(node).length > 0) return;
  const inputs = guard(node, () => knownInputs(node, types, scope));
  if (inputs === undefined) return;
  if (!guard(node, () => node.outputs.every((name) => isSmall(scope.types.get(name))))) return;
  const outputs = guard(node, () => op.evaluate(node, inputs, EVALUATION));
  for (const [index, name] of node.outputs.entries()) {
    const value = outputs[index];
    if (name !== "" && isTensor(value)) scope.known.set(name, value);
  }
}

function isTensor(value: RuntimeValue): value is Tensor {
  return value !== undefined && !Array.isArray(value);
}

function isSmall(type: Type | undefined): boolean {
  if (type === undefined || type.quant !== undefined || type.container !== undefined) return false;
  return !/16$|^float8|^complex/.test(type.dtype) && isStatic(type.shape) && elementCount(type.shape) <= KNOWN_ELEMENTS;
}

function knownInputs(node: Node, types: readonly (Type | undefined)[], scope: Scope): RuntimeValue[] | undefined {
  if (node.op === "Shape" || node.op === "Size") {
    const shape = types[0]?.shape;
    // These two read nothing but the shape.
    return isStatic(shape) ? [{ dtype: "float32", shape, data: new Float32Array(0) }] : undefined;
  }
  if (node.inputs.length === 0 && node.op !== "Constant") return undefined;
  const inputs: RuntimeValue[] = [];
  for (const [index, name] of node.inputs.entries()) {
    if (name === "") inputs.push(undefined);
    else {
      if (!isSmall(types[index])) return undefined;
      const constant = constantOf(scope, name);
      if (constant === undefined || isLazy(constant.data)) return undefined;
      inputs.push(constant);
    }
  }
  return inputs;
}

/** What the operator found, completed by what was known before. Quantization and its dtype stay. */
function merge(found: Type | undefined, before: Type | undefined): Type | undefined {
  if (found === undefined || before === undefined) return found ?? before;
  const { quant = before.quant, container } = found;
  const dtype = before.quant === undefined ? found.dtype : before.dtype;
  const shape = mergeShapes(found.shape, before.shape);
  const type: { dtype: Type["dtype"]; shape?: readonly Dim[]; quant?: Quant; container?: Type["container"] } = {
    dtype,
  };
  if (shape !== undefined) type.shape = shape;
  if (quant !== undefined) type.quant = before.quant ?? quant;
  if (container !== undefined) type.container = container;
  return sameType(type as Type, before) ? before : (type as Type);
}

function mergeShapes(found: readonly Dim[] | undefined, before: readonly Dim[] | undefined) {
  if (found === undefined || before === undefined || found.length !== before.length) return found ?? before;
  return found.map((dim, axis) => {
    if (typeof dim === "number") return dim;
    return typeof before[axis] === "number" || dim === "?" ? before[axis] : dim;
  });
}

function sameTypes(a: ReadonlyMap<string, Type>, b: ReadonlyMap<string, Type>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, type] of a) {
    const other = b.get(name);
    if (other === undefined || !sameType(type, other)) return false;
  }
  return true;
}

function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.quant !== b.quant || a.container !== b.container) return false;
  if (a.shape === undefined || b.shape === undefined) return a.shape === b.shape;
  return a.shape.length === b.shape.length && a.shape.every((dim, axis) => dim === b.shape?.[axis]);
}

function withGraphs(node: Node, typed: ReadonlyMap<Graph, Graph>): Node {
  const same = [...typed].every(([before, after]) => before === after);
  if (same) return node;
  const attrs = new Map<string, Attr>();
  for (const [name, attr] of node.attrs) {
    if ("g" in attr) attrs.set(name, { g: typed.get(attr.g) ?? attr.g });
    else if ("gs" in attr) attrs.set(name, { gs: attr.gs.map((graph) => typed.get(graph) ?? graph) });
    else attrs.set(name, attr);
  }
  return { ...node, attrs };
}
