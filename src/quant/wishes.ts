import type { Graph } from "../ir/graph.ts";

/** Metadata that a lowering leaves for `quantize/int8`: names of values that 8 bits would ruin, as a JSON list. */
const INT16 = "quantize/int16";

export function wantInt16(graph: Graph, names: readonly string[]): Graph {
  return { ...graph, metadata: new Map(graph.metadata).set(INT16, JSON.stringify([...int16Wishes(graph), ...names])) };
}

export function int16Wishes(graph: Graph): string[] {
  return JSON.parse(graph.metadata.get(INT16) ?? "[]") as string[];
}

/** The graph without the notes that only quantization reads. */
export function withoutWishes(graph: Graph): Graph {
  if (!graph.metadata.has(INT16)) return graph;
  return { ...graph, metadata: new Map([...graph.metadata].filter(([key]) => key !== INT16)) };
}
