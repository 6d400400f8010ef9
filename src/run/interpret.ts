import { CompileError } from "../error.ts";
import { dequantize, quantize } from "../ir/codes.ts";
import type { DType, Graph, Node, RuntimeValue, Tensor, Type } from "../ir/graph.ts";
import { decode, encode, isFloat } from "../ir/numbers.ts";
import { seededRandom } from "../ir/random.ts";
import { countUses, readsOf } from "../ir/uses.ts";
import { opOf } from "../ops/find.ts";
import { inferTypes } from "../ops/infer.ts";
import type { EvaluateContext } from "../ops/op.ts";
import { nameOfNode } from "../ops/shared/types.ts";

export interface InterpretOptions {
  /** Values to return beside the outputs. */
  readonly keep?: ReadonlySet<string>;
  /** Of the random operators. */
  readonly seed?: number;
}

/** The values of one graph while it runs; subgraphs look outwards. */
interface Scope {
  readonly graph: Graph;
  readonly values: Map<string, RuntimeValue>;
  readonly outer: Scope | undefined;
}

/**
 * Runs a graph: slow, obvious, and what everything else is compared with. float16 and bfloat16 are computed in float32
 * and rounded after each node. A value whose type is quantized is rounded to its codes after its node (so a graph whose
 * types carry `quant` computes what fake quantization computes); `npu` operators get and give the codes themselves.
 * Inputs that are states may be left out: they start with their first value. Outputs come as they are stored.
 * Throws CompileError: usage/missing-input, usage/wrong-input for feeds that do not fit; model/… from the operators.
 */
export function interpret(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  options: InterpretOptions = {},
): Map<string, RuntimeValue> {
  const typed = needsTypes(graph) ? inferTypes(graph) : graph;
  const { keep = new Set(), seed = 0 } = options;
  const inputs = typed.inputs.map((name) => feedOf(typed, name, feeds));
  return runGraph(typed, inputs, undefined, keep, seededRandom(seed));
}

function needsTypes(graph: Graph): boolean {
  return graph.nodes.some((node) => node.outputs.some((name) => name !== "" && !graph.types.has(name)));
}

function feedOf(graph: Graph, name: string, feeds: ReadonlyMap<string, Tensor>): RuntimeValue {
  const init = graph.states.find((state) => state.input === name)?.init;
  const feed = feeds.get(name) ?? init ?? graph.constants.get(name);
  if (feed === undefined) {
    // Nothing is what an empty optional holds.
    if (graph.types.get(name)?.container?.startsWith("optional")) return undefined;
    throw new CompileError("usage/missing-input", `the input "${name}" was not given`, { where: `input ${name}` });
  }
  const type = graph.types.get(name);
  if (type === undefined || type.container !== undefined) return feed;
  const wrong = misfit(feed, type);
  if (wrong !== undefined) throw new CompileError("usage/wrong-input", wrong, { where: `input ${name}` });
  return feed;
}

function misfit(feed: Tensor, type: Type): string | undefined {
  const real = type.quant !== undefined && isFloat(feed.dtype);
  if (feed.dtype !== type.dtype && !real) return `it is ${feed.dtype}; the graph reads ${type.dtype}`;
  const { shape } = type;
  if (shape === undefined) return undefined;
  const fits =
    shape.length === feed.shape.length &&
    shape.every((dim, axis) => typeof dim === "string" || dim === feed.shape[axis]);
  return fits ? undefined : `its shape is [${feed.shape}]; the graph reads [${shape}]`;
}

function runGraph(
  graph: Graph,
  inputs: readonly RuntimeValue[],
  outer: Scope | undefined,
  keep: ReadonlySet<string>,
  random: () => number,
): Map<string, RuntimeValue> {
  const scope: Scope = { graph, values: new Map(), outer };
  for (const [index, name] of graph.inputs.entries()) {
    scope.values.set(name, store(inputs[index], graph.types.get(name)));
  }
  const uses = countUses(graph);
  for (const node of graph.nodes) {
    runNode(node, scope, random);
    for (const name of readsOf(node)) {
      const left = (uses.get(name) ?? 0) - 1;
      uses.set(name, left);
      if (left === 0 && !keep.has(name)) scope.values.delete(name);
    }
  }
  return new Map([...graph.outputs, ...keep].map((name) => [name, lookUp(scope, name)]));
}

function runNode(node: Node, scope: Scope, random: () => number): void {
  const op = opOf(node);
  const isChip = node.domain === "npu";
  const context: EvaluateContext = {
    random,
    subgraph(graph, inputs) {
      const outputs = runGraph(graph, inputs, scope, new Set(), random);
      return graph.outputs.map((name) => widen(outputs.get(name)));
    },
  };
  const inputs = node.inputs.map((name) => {
    if (name === "") return undefined;
    const value = lookUp(scope, name);
    return isChip ? value : widen(value);
  });
  let outputs: RuntimeValue[];
  try {
    outputs = op.evaluate(node, inputs, context);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CompileError("model/invalid-node", error.message, { where: nameOfNode(node), cause: error });
  }
  for (const [index, name] of node.outputs.entries()) {
    if (name !== "") scope.values.set(name, store(outputs[index], scope.graph.types.get(name)));
  }
}

function lookUp(scope: Scope, name: string): RuntimeValue {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    if (at.values.has(name)) return at.values.get(name);
    const constant = at.graph.constants.get(name);
    if (constant !== undefined) return constant;
  }
  throw new Error(`bug: "${name}" is read before it is made`);
}

function isNarrow(dtype: DType): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

function isSequence(value: RuntimeValue): value is readonly Tensor[] {
  return Array.isArray(value);
}

/** What an operator computes with: float32 for quantized and half floats, everything else as it is. */
function widen(value: RuntimeValue): RuntimeValue {
  if (value === undefined) return undefined;
  if (isSequence(value)) return value.map((each) => widen(each) as Tensor);
  if (value.quant !== undefined) return dequantize(value);
  if (!isNarrow(value.dtype)) return value;
  return { dtype: "float32", shape: value.shape, data: decode(value) };
}

/** A value as its type stores it: half floats and codes are rounded here. */
function store(value: RuntimeValue, type: Type | undefined): RuntimeValue {
  if (value === undefined || type === undefined) return value;
  if (isSequence(value)) return value.map((each) => store(each, { dtype: type.dtype }) as Tensor);
  if (type.quant !== undefined) {
    if (value.quant !== undefined) return value;
    // Real numbers of any width become codes; an npu operator gives codes already.
    return isFloat(value.dtype) ? quantize(value, type.dtype, type.quant) : { ...value, quant: type.quant };
  }
  if (!isNarrow(type.dtype) || value.dtype !== "float32") return value;
  return { dtype: type.dtype, shape: value.shape, data: encode(type.dtype, decode(value) as Float32Array) };
}
