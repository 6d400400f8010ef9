/** Where weights of 4 bits are unpacked: before the array, from bytes that hold two of them, or once and for all by the compiler. */
import { elementCount, type Graph, intAttr, type LazyBytes, type Node, type Tensor } from "../ir/graph.ts";
import { bytesOf, isLazy, stridesOf } from "../ir/tensor.ts";
import { unpackedConstant } from "../ops/shared/npu/unpacked.ts";
import type { Placed } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import { withPacked } from "./jobs/packed.ts";

interface Placement {
  readonly graph: Graph;
  readonly placed: readonly Placed[];
}

/**
 * The placed graph without UnpackWeights: linear operators read packed rows where the target stores them and its unpacker can
 * follow the operator's order, and int8 weights otherwise.
 */
export function packWeights(graph: Graph, placed: readonly Placed[], target: Target): Placement {
  const unpackers = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (node.domain === "npu" && node.op === "UnpackWeights") unpackers.set(node.outputs[0], node);
  }
  if (unpackers.size === 0) return { graph, placed };
  const constants = new Map(graph.constants);
  const packed = target.array.int4Storage === "packed" ? packable(graph, unpackers) : new Set<string>();
  for (const [name, node] of unpackers) {
    if (packed.has(name)) continue;
    const weights = graph.types.get(name)?.shape as readonly number[];
    const read = () => bytesOf(unpackedConstant(node, graph));
    const data: LazyBytes = { lazy: true, byteLength: elementCount(weights), read };
    constants.set(name, { dtype: "int8", shape: weights, data });
  }
  const changed = new Map<Node, Node>();
  const nodes = graph.nodes.flatMap((node) => {
    if (unpackers.has(node.outputs[0])) return [];
    const unpacker = unpackers.get(node.inputs[1]);
    if (unpacker === undefined || !packed.has(node.inputs[1])) return [node];
    const [codes, multipliers = ""] = unpacker.inputs;
    const axis = channelAxis(node);
    const weights = graph.constants.get(codes) as Tensor;
    const name = `${codes}/rows${axis}`;
    constants.set(name, rowsOf(weights, axis));
    const form = { shape: weights.shape, block: intAttr(unpacker, "block", 1) };
    const reading = withPacked(node, name, multipliers, form);
    changed.set(node, reading);
    return [reading];
  });
  const kept = placed.filter(({ node }) => !unpackers.has(node.outputs[0]));
  return {
    graph: { ...graph, nodes, constants },
    placed: kept.map((entry) => ({ ...entry, node: changed.get(entry.node) ?? entry.node })),
  };
}

/** The axis of the output channels in a linear operator's weights. */
function channelAxis({ op }: Node): number {
  return op === "Conv" ? 0 : 1;
}

/** Weights that linear operators alone read, each along the axis that the multipliers are told for. */
function packable(graph: Graph, unpackers: ReadonlyMap<string, Node>): Set<string> {
  const found = new Set(unpackers.keys());
  for (const name of [...graph.outputs, ...graph.states.map(({ output }) => output)]) found.delete(name);
  for (const node of graph.nodes) {
    node.inputs.forEach((name, index) => {
      const unpacker = unpackers.get(name);
      if (unpacker && !(index === 1 && readsPacked(node, unpacker, graph))) found.delete(name);
    });
  }
  return found;
}

/**
 * Whether the array can read a node's weights row by row. A depthwise layer may go to the vector unit, which has no unpacker;
 * a batch of matrices, and the groups of a transposed convolution, would need parts of rows.
 */
function readsPacked(node: Node, unpacker: Node, graph: Graph): boolean {
  if (node.domain !== "npu") return false;
  const shape = graph.constants.get(unpacker.inputs[0])?.shape ?? [];
  if (unpacker.inputs[1] && intAttr(unpacker, "axis", 0) !== channelAxis(node)) return false;
  switch (node.op) {
    case "Conv":
      return shape[1] > 1 || intAttr(node, "group", 1) === 1;
    case "ConvTranspose":
      return intAttr(node, "group", 1) === 1;
    case "MatMul":
      return shape.length === 2 && intAttr(node, "b_zero", 0) === 0;
    default:
      return false;
  }
}

const known = new WeakMap<object, Map<number, Tensor>>();

/** Codes of 4 bits as rows, one an index of `axis`: [channels, bytes of a row]. What lies in a file is read when it is asked for. */
function rowsOf(weights: Tensor, axis: number): Tensor {
  const { shape } = weights;
  const all = known.get(weights.data) ?? new Map<number, Tensor>();
  known.set(weights.data, all);
  const found = all.get(axis);
  if (found) return found;
  const channels = shape[axis];
  const length = Math.ceil(elementCount(shape) / channels / 2);
  const read = () => packRows(bytesOf(weights), shape, axis, length);
  const data = isLazy(weights.data) ? { lazy: true as const, byteLength: channels * length, read } : read();
  const rows: Tensor = { dtype: "uint8", shape: [channels, length], data };
  all.set(axis, rows);
  return rows;
}

function packRows(codes: Uint8Array, shape: readonly number[], axis: number, length: number): Uint8Array {
  const [channels, inner] = [shape[axis], stridesOf(shape)[axis]];
  const depth = elementCount(shape) / channels;
  if (axis === 0 && depth % 2 === 0) return codes;
  const rows = new Uint8Array(channels * length);
  for (let channel = 0; channel < channels; channel++) {
    for (let place = 0; place < depth; place++) {
      const at = Math.floor(place / inner) * inner * channels + channel * inner + (place % inner);
      const code = (codes[at >> 1] >> ((at & 1) * 4)) & 15;
      rows[channel * length + (place >> 1)] |= code << ((place & 1) * 4);
    }
  }
  return rows;
}
