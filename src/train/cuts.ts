/**
 * Cutting and joining channels of values in blocks of channels. Blocks lie one after another, so a cut between blocks copies one
 * piece of memory, and what is cut out is put in order while it is in the cache; in order, each place's channels are copied by
 * themselves. Pieces are joined in blocks in the same way.
 */
import { type Graph, intAttr, type Node } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { type Draft, draftOf, graphOf, putting, shapeOf } from "./drafting.ts";
import { BLOCKED_DOMAIN } from "./layout.ts";

/** [1, channels, lines, places], as the kernels for values in blocks see them. */
const CHANNELS_AXIS = 1;

interface Cuts extends Draft {
  /** By the name of what is joined: the node that puts it in blocks. */
  readonly joins: Map<string, Node>;
  /** Where a value is made. */
  readonly places: ReadonlyMap<string, number>;
}

/** A graph that has been put in blocks of `block` channels, with cuts and joins of channels in blocks too. */
export function withBlockedCuts(graph: Graph, block: number): Graph {
  const places = new Map(graph.nodes.flatMap(({ outputs }, at) => outputs.map((name) => [name, at] as const)));
  const draft: Cuts = { ...draftOf(graph, block), joins: new Map(), places };
  for (const node of graph.nodes) {
    const root = isInput(node) ? rootOf(draft, node.inputs[0]) : "";
    if (draft.makers.get(root)?.op === "Concat" && !draft.joins.has(root)) draft.joins.set(root, node);
  }
  const joined = new Set<Node>();
  let found = false;
  for (const node of graph.nodes) {
    const laid = node.op === "Concat" ? draft.joins.get(node.outputs[0]) : undefined;
    if (laid !== undefined && join(draft, node, laid)) joined.add(laid);
    else draft.joins.delete(node.outputs[0]);
    if (joined.has(node)) continue;
    if (cut(draft, node)) found = true;
    else draft.nodes.push(node);
  }
  return found || joined.size > 0 ? graphOf(draft) : graph;
}

/** Does the node put what has its channels last in blocks? */
function isInput(node: Node): boolean {
  return node.op === "ReorderInput" && node.domain === BLOCKED_DOMAIN && intAttr(node, "channels_last", 0) === 1;
}

/** The value that Reshapes which leave the last axis alone were made of. */
function rootOf(draft: Draft, name: string): string {
  let root = name;
  for (let maker = draft.makers.get(root); maker?.op === "Reshape" && maker.domain === ""; ) {
    const [source] = maker.inputs;
    const last = listOf(draft, maker.inputs[1])?.at(-1);
    const known = draft.graph.constants.has(source) ? undefined : lastOf(draft, source);
    if (last === undefined || known !== last) break;
    root = source;
    maker = draft.makers.get(root);
  }
  return root;
}

/** Channels of a value: as its type has them, or as it leaves blocks. */
function lastOf(draft: Draft, name: string): number | undefined {
  const maker = draft.makers.get(name);
  if (maker?.op === "ReorderOutput" && maker.domain === BLOCKED_DOMAIN) return intAttr(maker, "channels", 0);
  const given = maker?.op === "Reshape" && maker.domain === "" ? listOf(draft, maker.inputs[1]) : undefined;
  return given?.at(-1) ?? shapeOf(draft, name).at(-1);
}

function listOf(draft: Draft, name: string | undefined): number[] | undefined {
  const tensor = draft.graph.constants.get(name ?? "");
  return tensor?.shape.length === 1 ? numbersOf(tensor).map(Number) : undefined;
}

/** A Slice of channels of what comes in blocks. */
function cut(draft: Cuts, node: Node): boolean {
  if (node.op !== "Slice" || node.domain !== "" || node.inputs.length !== 4) return false;
  const [source, ...bounds] = node.inputs;
  const [begin, end, axis] = bounds.map((name) => listOf(draft, name) ?? []);
  const shape = shapeOf(draft, source);
  const whole = [...begin, ...end].every((at) => at >= 0 && at % draft.block === 0);
  if (begin.length !== 1 || end.length !== 1 || axis.join() !== `${shape.length - 1}` || !whole) return false;
  const output = draft.makers.get(rootOf(draft, source));
  if (output?.op !== "ReorderOutput" || intAttr(output, "channels_last", 0) !== 1) return false;
  const channels = end[0] - begin[0];
  if (shape.length < 2 || end[0] > (shape.at(-1) ?? 0) || channels <= 0) return false;
  const put = putting(draft, node);
  const piece = put("Slice", [
    output.inputs[0],
    put.list(begin[0], 0),
    put.list(end[0], 1 << 30),
    put.list(CHANNELS_AXIS, 2),
  ]);
  const attributes = { channels: { i: channels }, channels_last: { i: 1 } };
  const flat = put("ReorderOutput", [piece], { attributes, domain: BLOCKED_DOMAIN });
  put.reshape(flat, [...shape.slice(0, -1), channels], node.outputs[0]);
  return true;
}

/** What is joined of pieces and then put in blocks: beside it, its pieces in blocks, joined. */
function join(draft: Cuts, concat: Node, node: Node): boolean {
  const laid = draft.makers.get(node.inputs[0]);
  const shape = laid?.op === "Reshape" && laid.domain === "" ? listOf(draft, laid.inputs[1]) : undefined;
  const rank = shapeOf(draft, concat.outputs[0]).length;
  if (shape?.length !== 4 || concat.domain !== "" || ![rank - 1, -1].includes(intAttr(concat, "axis", 0))) return false;
  const sizes = new Map(concat.inputs.map((name) => [name, shapeOf(draft, name).at(-1) ?? 0]));
  if ([...sizes.values()].some((size) => size === 0 || size % draft.block !== 0)) return false;
  // In the order in which they are made, which ONNX Runtime keeps to: each while it is in the cache.
  const order = [...sizes.keys()].sort((a, b) => (draft.places.get(a) ?? -1) - (draft.places.get(b) ?? -1));
  const put = putting(draft, node);
  const blocked = new Map(
    order.map((name) => {
      const flat = put.reshape(name, shape.with(-1, sizes.get(name) as number));
      const made = put("ReorderInput", [flat], { attributes: Object.fromEntries(node.attrs), domain: BLOCKED_DOMAIN });
      return [name, made] as const;
    }),
  );
  const parts = concat.inputs.map((name) => blocked.get(name) as string);
  put("Concat", parts, { attributes: { axis: { i: CHANNELS_AXIS } }, output: node.outputs[0] });
  return true;
}
