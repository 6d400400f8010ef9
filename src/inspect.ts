import { elementCount, type Graph, isStatic, type Node, subgraphs, type Type, typeOf } from "./ir/graph.ts";
import { findOp } from "./ops/find.ts";

/** How big a graph is. */
export interface GraphSize {
  readonly nodes: number;
  /** Elements of all constants of more than one element that a node reads. */
  readonly parameters: number;
  /** Multiply-accumulates of one run; undefined where a shape that decides it is not known. */
  readonly macs: number | undefined;
}

export interface ValueFacts {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[] | undefined;
}

export interface GraphFacts extends GraphSize {
  readonly inputs: readonly ValueFacts[];
  readonly outputs: readonly ValueFacts[];
  /** Operator → how often, the most frequent first. */
  readonly operators: readonly (readonly [string, number])[];
}

/** Counts of a graph whose types are inferred; subgraphs count once. */
export function sizeOf(graph: Graph): GraphSize {
  let [nodes, parameters] = [0, 0];
  let macs: number | undefined = 0;
  for (const inner of withSubgraphs(graph)) {
    nodes += inner.nodes.length;
    for (const { shape } of inner.constants.values()) {
      const count = elementCount(shape);
      if (count > 1) parameters += count;
    }
    for (const node of inner.nodes) {
      const own = macsOf(inner, node);
      macs = own === undefined || macs === undefined ? undefined : macs + own;
    }
  }
  return { nodes, parameters, macs };
}

export function factsOf(graph: Graph): GraphFacts {
  const operators = new Map<string, number>();
  for (const { nodes } of withSubgraphs(graph)) {
    for (const { domain, op } of nodes) {
      const name = domain === "" ? op : `${domain}::${op}`;
      operators.set(name, (operators.get(name) ?? 0) + 1);
    }
  }
  return {
    ...sizeOf(graph),
    inputs: graph.inputs.map((name) => describe(graph, name)),
    outputs: graph.outputs.map((name) => describe(graph, name)),
    operators: [...operators].sort(([a, many], [b, few]) => few - many || (a < b ? -1 : 1)),
  };
}

function describe(graph: Graph, name: string): ValueFacts {
  const type = typeOf(graph, name);
  return { name, dtype: type?.dtype ?? "unknown", shape: type?.shape };
}

function withSubgraphs(graph: Graph): Graph[] {
  const found = [graph];
  for (let at = 0; at < found.length; at++) {
    for (const node of found[at].nodes) for (const [, inner] of subgraphs(node)) found.push(inner);
  }
  return found;
}

function macsOf(graph: Graph, node: Node): number | undefined {
  const macs = findOp(node.domain, node.op)?.macs;
  if (macs === undefined) return 0;
  const inputs = node.inputs.map((name) => (name === "" ? undefined : typeOf(graph, name)));
  const outputs = node.outputs.map((name) => typeOf(graph, name));
  const known = (type: Type | undefined) => type !== undefined && isStatic(type.shape);
  if (!inputs.every((type, at) => node.inputs[at] === "" || known(type)) || !outputs.every(known)) return undefined;
  return macs(node, inputs, outputs as Type[]);
}
