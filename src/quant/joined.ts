/** Variants of one graph as one graph, in which what they have in common is computed once. */
import { renameReads } from "../ir/edit.ts";
import { freshName, type Graph, type Node, type State } from "../ir/graph.ts";
import { namesOf, readsOf } from "../ir/uses.ts";

/** A graph that makes the values of a base graph and of its variants; `outputs` stay the base graph's. */
export interface Joined {
  readonly graph: Graph;
  /** For each variant: what its value of this name is called in the joined graph. */
  readonly nameOf: readonly ((name: string) => string)[];
}

/**
 * Joins graphs that differ from `base` in some nodes and constants. A variant's node that does the same with the same inputs as
 * the base's node of the same output is the base's; other nodes, constants and states are the variant's own, under fresh names.
 * Equal means the same object (attributes, tensors), as it is where a variant was made from the base.
 */
export function joinVariants(base: Graph, variants: readonly Graph[]): Joined {
  const names = namesOf(base);
  const nodes = [...base.nodes];
  const [constants, types, states] = [new Map(base.constants), new Map(base.types), [...base.states]];
  const inputs = [...base.inputs];
  const makers = new Map(base.nodes.map((node) => [node.outputs[0], node]));
  const nameOf = variants.map((variant) => {
    const own = ownStates(base, makers, variant);
    const renamed = new Map<string, string>();
    const rename = (name: string): string => {
      const found = freshName(name, names);
      names.add(found);
      renamed.set(name, found);
      const type = variant.types.get(name);
      if (type) types.set(found, type);
      return found;
    };
    for (const name of own) inputs.push(rename(name));
    const visit = (node: Node): void => {
      for (const name of readsOf(node)) {
        const tensor = variant.constants.get(name);
        if (tensor && !renamed.has(name) && base.constants.get(name) !== tensor) constants.set(rename(name), tensor);
      }
      if (isShared(makers, node, renamed)) return;
      const read = renameReads(node, renamed);
      nodes.push({ ...read, outputs: node.outputs.map((name) => (name === "" ? name : rename(name))) });
    };
    variant.nodes.forEach(visit);
    const of = (name: string) => renamed.get(name) ?? name;
    for (const state of variant.states) {
      if (own.has(state.input)) states.push({ ...state, input: of(state.input), output: of(state.output) });
    }
    return of;
  });
  return { graph: { ...base, inputs, nodes, constants, types, states }, nameOf };
}

function isShared(makers: ReadonlyMap<string, Node>, node: Node, renamed: { has(name: string): boolean }): boolean {
  const twin = makers.get(node.outputs[0]);
  return (
    twin !== undefined &&
    twin.op === node.op &&
    twin.domain === node.domain &&
    twin.attrs === node.attrs &&
    twin.inputs.length === node.inputs.length &&
    twin.inputs.every((name, index) => name === node.inputs[index]) &&
    !readsOf(node).some((name) => renamed.has(name))
  );
}

/** Inputs of the states that take other values in the variant than in the base: such a state makes others differ. */
function ownStates(base: Graph, makers: ReadonlyMap<string, Node>, variant: Graph): ReadonlySet<string> {
  const own = new Set<string>();
  const unlike = ({ input, output }: State, changed: ReadonlySet<string>) => !own.has(input) && changed.has(output);
  for (;;) {
    const changed = new Set<string>(own);
    for (const [name, tensor] of variant.constants) if (base.constants.get(name) !== tensor) changed.add(name);
    for (const node of variant.nodes) {
      if (!isShared(makers, node, changed)) for (const name of node.outputs) changed.add(name);
    }
    const found = variant.states.filter((state) => unlike(state, changed));
    if (found.length === 0) return own;
    for (const { input } of found) own.add(input);
  }
}
