import type { Attr, Node, Tensor } from "../../ir/graph.ts";

/** What a conversion may ask and add while it brings one node to its canonical form. */
export interface ConvertContext {
  /** A constant that the node can see, in its own graph or around it. */
  constant(name: string): Tensor | undefined;
  /** How many dimensions a value has, where the file or a constant says so. */
  rank(name: string): number | undefined;
  /** Adds a constant to the node's graph; returns its name. */
  add(hint: string, tensor: Tensor): string;
  /** A value name that nothing else has. */
  fresh(hint: string): string;
  /** float32 is the model's only float type, so a bound or ratio needs no cast. */
  readonly onlyFloat32: boolean;
}

/** Changes nodes of opsets before `before`. Several of one operator are applied in order, oldest first. */
export interface Conversion {
  readonly before: number;
  /** The nodes in place of this one; the last has its outputs. */
  convert(node: Node, context: ConvertContext): Node | readonly Node[];
}

/** A family of conversions, by operator. */
export type Family = Readonly<Record<string, readonly Conversion[]>>;

export function withAttrs(node: Node, changes: Readonly<Record<string, Attr | undefined>>): Node {
  const attrs = new Map(node.attrs);
  for (const [name, attr] of Object.entries(changes)) {
    if (attr === undefined) attrs.delete(name);
    else attrs.set(name, attr);
  }
  return { ...node, attrs };
}

/** The node with `name` as input `index`; inputs between are absent. */
export function withInput(node: Node, index: number, name: string): Node {
  const inputs = [...node.inputs];
  while (inputs.length < index) inputs.push("");
  inputs[index] = name;
  return { ...node, inputs };
}

/** A node that a conversion puts beside another, with the other's origin. */
export function beside(node: Node, op: string, inputs: readonly string[], output: string, attrs?: Node["attrs"]): Node {
  return { op, domain: "", inputs, outputs: [output], attrs: attrs ?? new Map(), origin: node.origin };
}

/** A name to build the names of new values on. */
export function hintOf(node: Node): string {
  return node.outputs.find((name) => name !== "") ?? node.op;
}
