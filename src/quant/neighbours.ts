import { type Graph, isStatic, type Node, typeOf } from "../ir/graph.ts";
import { readersOf } from "./annotate.ts";
import { fusionGroups } from "./groups.ts";
import { keepsUnderGain } from "./links.ts";

/** A value that one convolution makes and only convolutions read. */
export interface Neighbours {
  readonly value: string;
  readonly channels: number;
  readonly readers: readonly Node[];
}

/** Such values of the graph, in the order in which they are made, those with a gain a channel too. */
export function findNeighbours(graph: Graph): Neighbours[] {
  const { byAnchor } = fusionGroups(graph);
  const readers = readersOf(graph);
  const fixed = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
  return graph.nodes.flatMap((node) => {
    if (node.op !== "Conv" || node.domain !== "") return [];
    const group = byAnchor.get(node);
    // Finite bounds other than zero would differ from channel to channel.
    if (group?.riding.kind === "clamp" && !keepsUnderGain(group.riding)) return [];
    const value = group?.output ?? node.outputs[0];
    const shape = typeOf(graph, value)?.shape;
    const all = readers.get(value) ?? [];
    if (fixed.has(value) || all.length === 0 || !isStatic(shape) || typeOf(graph, value)?.quant) return [];
    if (!all.every((reader) => readsAsConvolution(graph, reader, value))) return [];
    return [{ value, channels: shape[1], readers: all }];
  });
}

function readsAsConvolution(graph: Graph, node: Node, value: string): boolean {
  if (node.op !== "Conv" || node.domain !== "" || node.inputs[0] !== value) return false;
  const weights = graph.constants.get(node.inputs[1]);
  return weights !== undefined && !weights.quant && node.inputs.indexOf(value, 1) < 0;
}
