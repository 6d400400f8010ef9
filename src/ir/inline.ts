/** Bringing a subgraph into the graph around it. */
import { renameReads } from "./edit.ts";
import { EMPTY_ATTRS, freshName, type Graph, type Node, type Tensor, type Type } from "./graph.ts";

/** A branch as nodes, constants and types of the graph around it. */
export interface Inlined {
  readonly nodes: Node[];
  readonly constants: Map<string, Tensor>;
  readonly types: Map<string, Type>;
}

/**
 * The branch of an If as nodes of the graph around it. Its outputs take the names in `outputs` ("" for one that nobody reads);
 * what else it makes is renamed away from `taken`, which grows. Names from around it are left alone.
 */
export function inlineBranch(node: Node, branch: Graph, outputs: readonly string[], taken: Set<string>): Inlined {
  const made = new Set([...branch.constants.keys(), ...branch.nodes.flatMap((inner) => inner.outputs)]);
  made.delete("");
  const names = new Map<string, string>();
  const copies: Node[] = [];
  for (const [place, inner] of branch.outputs.entries()) {
    const outer = outputs[place] ?? "";
    if (outer === "") continue;
    if (made.has(inner) && !names.has(inner) && !branch.constants.has(inner)) names.set(inner, outer);
    else
      copies.push({
        op: "Identity",
        domain: "",
        inputs: [inner],
        outputs: [outer],
        attrs: EMPTY_ATTRS,
        origin: node.origin,
      });
  }
  for (const name of made) {
    if (names.has(name)) continue;
    const fresh = freshName(name, taken);
    taken.add(fresh);
    names.set(name, fresh);
  }
  const rename = (name: string): string => names.get(name) ?? name;
  const nodes = [...branch.nodes, ...copies].map((inner): Node => {
    const outputs = branch.nodes.includes(inner) ? inner.outputs.map(rename) : inner.outputs;
    const origin = inner.origin.length > 0 ? inner.origin : node.origin;
    return { ...renameReads(inner, names), outputs, origin };
  });
  const renamed = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...map].map(([name, item]) => [rename(name), item]));
  return { nodes, constants: renamed(branch.constants), types: renamed(branch.types) };
}
