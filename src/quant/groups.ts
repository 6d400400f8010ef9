import type { Graph, Node, Type } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { findOp } from "../ops/find.ts";
import type { Riding } from "../ops/integer.ts";

/** A node that has an accumulator, and the activation that is applied to it before anything is stored. */
export interface Group {
  readonly anchor: Node;
  readonly activation: Node;
  readonly riding: Riding;
  /** The anchor's output: it lives in the accumulator only and is never stored. */
  readonly inner: string;
}

export function isReal(type: Type | undefined): boolean {
  if (!type || type.container) return false;
  return type.quant !== undefined || /^b?float(16|32|64)$/.test(type.dtype);
}

/** One number of a constant input. */
export function scalarConstant(graph: Graph, name: string | undefined): number | undefined {
  const tensor = name ? graph.constants.get(name) : undefined;
  if (!tensor || Array.isArray(tensor.data)) return undefined;
  const numbers = tensor.shape.reduce((count, size) => count * size, 1) === 1 ? numbersOf(tensor) : [];
  if (numbers.length !== 1) return undefined;
  const { quant } = tensor;
  return quant ? (numbers[0] - quant.zeroPoint[0]) * quant.scale[0] : numbers[0];
}

/**
 * Pairs every function of one variable with the producer that it can ride on: the producer carries an accumulator, and
 * nobody else reads what lies between. Keyed by the anchor; `inner` values need no quantization of their own.
 */
export function fusionGroups(graph: Graph): { byAnchor: Map<Node, Group>; byActivation: Map<Node, Group> } {
  const uses = countUses(graph);
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name) producers.set(name, node);
  const byAnchor = new Map<Node, Group>();
  const byActivation = new Map<Node, Group>();
  for (const activation of graph.nodes) {
    const inner = activation.inputs[0];
    const anchor = inner ? producers.get(inner) : undefined;
    if (!anchor || uses.get(inner) !== 1 || byAnchor.has(anchor) || byActivation.has(anchor)) continue;
    if (!findOp(anchor.domain, anchor.op)?.carries) continue;
    const riding = findOp(activation.domain, activation.op)?.riding?.(activation, (index) =>
      scalarConstant(graph, activation.inputs[index]),
    );
    if (!riding || !isReal(graph.types.get(inner))) continue;
    const group = { anchor, activation, riding, inner };
    byAnchor.set(anchor, group);
    byActivation.set(activation, group);
  }
  return { byAnchor, byActivation };
}
