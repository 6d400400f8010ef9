/** Writing a graph anew, node by node: names, constants and nodes beside those that stay. */
import { removeDead } from "../ir/edit.ts";
import { type Attr, attrs, freshName, type Graph, isStatic, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";

export interface Draft {
  /** The graph as it was. */
  readonly graph: Graph;
  /** Channels of a block. */
  readonly block: number;
  readonly names: Set<string>;
  readonly constants: Map<string, Tensor>;
  readonly nodes: Node[];
  /** Who made a value in the graph as it was. */
  readonly makers: ReadonlyMap<string, Node>;
  /** Values that lie in blocks under another name. */
  readonly blocked: Map<string, string>;
}

export function draftOf(graph: Graph, block = 1): Draft {
  return {
    ...{ graph, block, names: namesOf(graph), constants: new Map(graph.constants), nodes: [], blocked: new Map() },
    makers: new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const))),
  };
}

/** The graph with the draft's nodes, less those that nothing reads. */
export function graphOf({ graph, nodes, constants }: Draft): Graph {
  const opsets = new Map(graph.opsets);
  for (const { domain } of nodes) if (!opsets.has(domain)) opsets.set(domain, 1);
  return removeDead({ ...graph, nodes, constants, opsets });
}

/** A value's shape; empty where it is not known. */
export function shapeOf({ graph }: Draft, name: string): readonly number[] {
  const shape = (graph.constants.get(name) ?? typeOf(graph, name))?.shape;
  return isStatic(shape) ? shape : [];
}

/** Operators that work element by element, on tensors of one shape and single numbers. */
export const ELEMENTWISE: ReadonlySet<string> = new Set([
  ...["Add", "Sub", "Mul", "Div", "Sum", "Neg", "Exp", "Log", "Erf", "Sqrt", "Reciprocal", "Abs"],
  ...["Relu", "Gelu", "Sigmoid", "HardSigmoid", "Tanh", "Softplus", "LeakyRelu", "Elu", "Clip"],
]);

/** Is it a constant of a single number? */
export function isOneNumber({ graph }: Draft, name: string): boolean {
  return graph.constants.get(name)?.shape.every((size) => size === 1) ?? false;
}

export interface PutOptions {
  readonly attributes?: Readonly<Record<string, Attr>>;
  readonly domain?: string;
  readonly output?: string;
}

/** Adds nodes; gives the output's name. */
export interface Put {
  (op: string, inputs: readonly string[], options?: PutOptions): string;
  /** A name that nothing has. */
  fresh(hint: string): string;
  constant(tensor: Tensor): string;
  /** A constant list of integers. */
  list(...values: readonly number[]): string;
  reshape(value: string, shape: readonly number[], output?: string): string;
  transpose(value: string, order: readonly number[], output?: string): string;
}

/** Adds nodes to the draft with the origin of `from`. */
export function putting(draft: Draft, from: Node): Put {
  const fresh = (hint: string): string => {
    const name = freshName(hint, draft.names);
    draft.names.add(name);
    return name;
  };
  const put = (op: string, inputs: readonly string[], options: PutOptions = {}): string => {
    const { attributes = {}, domain = "", output = fresh(`${from.outputs[0]}/${op.toLowerCase()}`) } = options;
    draft.nodes.push({ op, domain, inputs, outputs: [output], attrs: attrs(attributes), origin: from.origin });
    return output;
  };
  const constant = (tensor: Tensor): string => {
    const name = fresh(`${from.outputs[0]}/list`);
    draft.constants.set(name, tensor);
    return name;
  };
  const list = (...values: readonly number[]): string => constant(int64([values.length], values));
  return Object.assign(put, {
    fresh: (hint: string) => fresh(`${from.outputs[0]}/${hint}`),
    ...{ constant, list },
    reshape: (value: string, shape: readonly number[], output?: string) =>
      put("Reshape", [value, list(...shape)], output === undefined ? {} : { output }),
    transpose: (value: string, order: readonly number[], output?: string) => {
      const attributes = { perm: { ints: [...order] } };
      return put("Transpose", [value], output === undefined ? { attributes } : { attributes, output });
    },
  });
}
