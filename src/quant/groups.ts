import { channelValues } from "../ir/channels.ts";
import { elementCount, type Graph, isStatic, type Node, type Type, typeOf } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { findOp } from "../ops/find.ts";
import type { Riding } from "../ops/integer.ts";
import { functionOf } from "../ops/lowering/elementwise.ts";

/** A node that has an accumulator, and the functions of one variable that are applied to it before anything is stored. */
export interface Group {
  readonly anchor: Node;
  /** In the order in which they apply. */
  readonly activations: readonly Node[];
  /** All of them as one. */
  readonly riding: Riding;
  /** What the anchor makes: it lives in the accumulator only, and its range is the function's. */
  readonly inner: string;
  /** Every value that is never stored: `inner` and what lies between the functions. */
  readonly hidden: readonly string[];
  /** The only value of the group that is stored. */
  readonly output: string;
}

export interface Groups {
  readonly byAnchor: ReadonlyMap<Node, Group>;
  /** Nodes that ride on another. */
  readonly riders: ReadonlySet<Node>;
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
 * Finds for every producer with an accumulator the chain of functions that can ride on it: nobody else reads what lies
 * between, and each has only constants beside its argument. A constant that scales the channels of a linear operator ends its
 * chain.
 */
export function fusionGroups(graph: Graph): Groups {
  const uses = countUses(graph);
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name) producers.set(name, node);
  const byAnchor = new Map<Node, Group>();
  const anchorOf = new Map<string, Node>();
  const riders = new Set<Node>();
  for (const node of graph.nodes) {
    const argument = argumentOf(graph, node);
    if (!argument || uses.get(argument) !== 1 || typeOf(graph, argument)?.quant) continue;
    if (!sameShape(graph, argument, node.outputs[0])) continue;
    const anchor = anchorOf.get(argument) ?? carrier(producers.get(argument), riders);
    if (!anchor) continue;
    const before = byAnchor.get(anchor);
    const gains = gainsOf(graph, anchor, argument, node);
    const riding = gains
      ? scaled(before?.riding, gains)
      : findOp(node.domain, node.op)?.riding?.(node, (index) => scalarConstant(graph, node.inputs[index]));
    if (!riding) continue;
    byAnchor.set(anchor, {
      anchor,
      activations: [...(before?.activations ?? []), node],
      riding: before && !gains ? compose(before.riding, riding) : riding,
      inner: before?.inner ?? argument,
      hidden: [...(before?.hidden ?? []), argument],
      output: node.outputs[0],
    });
    if (!gains) anchorOf.set(node.outputs[0], anchor);
    riders.add(node);
  }
  return { byAnchor, riders };
}

function carrier(node: Node | undefined, riders: ReadonlySet<Node>): Node | undefined {
  return node && !riders.has(node) && findOp(node.domain, node.op)?.carries ? node : undefined;
}

/** The axis of a linear operator's result along which its weights' channels lie. */
function channelAxis(graph: Graph, anchor: Node, rank: number): number | undefined {
  if (anchor.domain !== "") return undefined;
  if (anchor.op === "Conv" || anchor.op === "ConvTranspose") return 1;
  if (anchor.op === "Gemm") return rank - 1;
  const weights = anchor.op === "MatMul" ? graph.constants.get(anchor.inputs[1]) : undefined;
  return weights && weights.shape.length > 1 ? rank - 1 : undefined;
}

/** The positive factors, one an output channel of `anchor`, that a product with a constant is. */
function gainsOf(graph: Graph, anchor: Node, argument: string, node: Node): Float64Array | undefined {
  const shape = typeOf(graph, argument)?.shape;
  const tensor = node.inputs.map((name) => graph.constants.get(name)).find((each) => each !== undefined);
  if (node.op !== "Mul" || node.domain !== "" || !tensor || !isStatic(shape)) return undefined;
  const axis = channelAxis(graph, anchor, shape.length);
  if (axis === undefined || elementCount(tensor.shape) === 1) return undefined;
  const gains = channelValues(tensor, shape.length, axis, shape[axis]);
  return gains?.every((gain) => gain > 0 && Number.isFinite(gain)) ? gains : undefined;
}

/** gains[c]·f(x). A clamp at other bounds than 0 becomes a table, for scaled channels would have bounds of their own. */
function scaled(inner: Riding | undefined, gains: Float64Array): Riding {
  if (!inner) return { kind: "clamp", low: -Infinity, high: Infinity, gains };
  const plain = (bound: number) => bound === 0 || !Number.isFinite(bound);
  if (inner.kind === "table" || (plain(inner.low) && plain(inner.high))) return { ...inner, gains };
  const reach = Math.max(Math.abs(inner.low), Math.abs(inner.high));
  return { kind: "table", apply: functionOf(inner), range: reach / (inner.gain ?? 1), gains };
}

/** The only computed input of a node, if that is real. */
function argumentOf(graph: Graph, node: Node): string | undefined {
  const computed = node.inputs.filter((name) => name !== "" && !graph.constants.has(name));
  return computed.length === 1 && isReal(graph.types.get(computed[0])) ? computed[0] : undefined;
}

/** A constant of shape [1, 1] may raise the rank: that is a Reshape too, and stays a node of its own. */
function sameShape(graph: Graph, a: string, b: string): boolean {
  return String(typeOf(graph, a)?.shape) === String(typeOf(graph, b)?.shape);
}

/** outer ∘ inner. Two clamps are one; anything else is a table. */
function compose(inner: Riding, outer: Riding): Riding {
  const [first, second] = [functionOf(inner), functionOf(outer)];
  if (inner.kind === "clamp" && outer.kind === "clamp") {
    return {
      kind: "clamp",
      low: second(inner.low),
      high: second(inner.high),
      gain: (inner.gain ?? 1) * (outer.gain ?? 1),
    };
  }
  const apply = (x: number) => second(first(x));
  if (inner.kind === "table") return { kind: "table", apply, range: inner.range };
  const reach = Math.max(Math.abs(inner.low), Math.abs(inner.high));
  const settled = outer.kind === "table" ? Math.min(outer.range, reach) : reach;
  return { kind: "table", apply, range: settled / (inner.gain ?? 1) };
}
