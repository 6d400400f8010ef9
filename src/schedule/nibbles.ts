/** Where codes of 4 bits that are made at run time are unpacked: before the array, if nothing but products reads them. */
import { type Graph, intAttr, intsAttr, type Node } from "../ir/graph.ts";
import { countUses } from "../ir/uses.ts";
import type { Placed } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import { type Paired, withPaired } from "./jobs/nibbles.ts";

interface Placement {
  readonly graph: Graph;
  readonly placed: readonly Placed[];
}

/**
 * The placed graph with products that read bytes, two codes each, in the place of UnpackNibbles: of a transposed one too, since its
 * codes then lie along the reduction as packed weights do. What else reads unpacked codes gets them from the vector unit.
 */
export function readNibbles({ graph, placed }: Placement, target: Target): Placement {
  if (target.array.int4Storage !== "packed") return { graph, placed };
  const makers = new Map<string, Node>();
  for (const node of graph.nodes) if (node.domain === "npu") makers.set(node.outputs[0], node);
  const changed = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const source = node.domain === "npu" && node.op === "MatMul" ? sourceOf(node, makers) : undefined;
    if (source) changed.set(node, withPaired(node, source.bytes, source.paired));
  }
  if (changed.size === 0) return { graph, placed };
  const replaced = { ...graph, nodes: graph.nodes.map((node) => changed.get(node) ?? node) };
  const nodes = withoutUnread(replaced);
  const kept = new Set(nodes);
  return {
    graph: { ...graph, nodes },
    placed: placed.flatMap((entry) => {
      const node = changed.get(entry.node) ?? entry.node;
      return kept.has(node) ? [{ ...entry, node }] : [];
    }),
  };
}

function sourceOf(product: Node, makers: ReadonlyMap<string, Node>): { bytes: string; paired: Paired } | undefined {
  const maker = makers.get(product.inputs[1]);
  if (maker === undefined || intAttr(product, "b_zero", 0) !== 0) return undefined;
  if (maker.op === "UnpackNibbles") return { bytes: maker.inputs[0], paired: "columns" };
  const before = maker.op === "Transpose" && turnsMatrices(maker) ? makers.get(maker.inputs[0]) : undefined;
  return before?.op === "UnpackNibbles" ? { bytes: before.inputs[0], paired: "depth" } : undefined;
}

/** Whether a Transpose swaps the last two axes and keeps all others. */
function turnsMatrices(node: Node): boolean {
  const perm = intsAttr(node, "perm") ?? [];
  const rank = perm.length;
  return rank >= 2 && perm.every((axis, at) => axis === (at < rank - 2 ? at : 2 * rank - 3 - at));
}

/** Unpacked codes that nobody reads any more are not made, nor are their transpositions. */
function withoutUnread(graph: Graph): Node[] {
  const uses = new Map(countUses(graph));
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    const moves = node.domain === "npu" && (node.op === "UnpackNibbles" || node.op === "Transpose");
    if (moves && (uses.get(node.outputs[0]) ?? 0) === 0) {
      for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 1) - 1);
    } else kept.push(node);
  }
  return kept.reverse();
}
