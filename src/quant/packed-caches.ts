/** Caches of 4-bit codes as bytes that hold two each, on the integer graph. */
import { attrs, freshName, type Graph, type Node, type Tensor, type Type, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { namesOf } from "../ir/uses.ts";
import packNibbles from "../ops/npu/pack-nibbles.ts";

/**
 * The integer graph with the caches that are read from `wanted` inputs as bytes: what a step writes is packed first, and whoever reads
 * the cache reads what is unpacked of it. Caches that the host writes stay as they are.
 */
export function withPackedCaches(graph: Graph, wanted: ReadonlySet<string>): Graph {
  const taken = namesOf(graph);
  const fresh = (hint: string): string => {
    const name = freshName(hint, taken);
    taken.add(name);
    return name;
  };
  const types = new Map(graph.types);
  const codesOf = new Map<string, string>();
  const writers = new Map(graph.nodes.map((node) => [node.outputs[0], node]));
  const isWritten = ({ input, output }: Graph["states"][number]): boolean => {
    const writer = writers.get(output);
    return writer?.domain === "npu" && writer.op === "TensorScatter" && writer.inputs[0] === input;
  };
  const inits = new Map<Tensor, Tensor>();
  const states = graph.states.map((state) => {
    if (!wanted.has(state.input) || !isWritten(state)) return state;
    const { shape, quant, dtype } = typeOf(graph, state.input) as Type & { shape: readonly number[] };
    for (const name of [state.input, state.output]) {
      const codes = fresh(`${name}/codes`);
      codesOf.set(name, codes);
      types.set(codes, { dtype, shape, ...(quant && { quant }) });
      types.set(name, bytesType(shape));
    }
    const init = inits.get(state.init) ?? packedTensor(state.init);
    inits.set(state.init, init);
    return { ...state, init };
  });
  if (codesOf.size === 0) return graph;
  const unpacked = (name: string, origin: readonly string[]) =>
    nibbles("UnpackNibbles", name, codesOf.get(name) ?? name, origin);
  const early = states.flatMap(({ input, output }) => {
    const writer = writers.get(output);
    const others = graph.nodes.some((node) => node !== writer && node.inputs.includes(input));
    return codesOf.has(input) && others ? [unpacked(input, writer?.origin ?? [])] : [];
  });
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [past, rows, ...rest] = node.inputs;
    const inputs = node.inputs.map((name) => codesOf.get(name) ?? name);
    const writes = node.op === "TensorScatter" && codesOf.has(node.outputs[0]);
    if (!writes) return [{ ...node, inputs }];
    const half = fresh(`${rows}/bytes`);
    const { shape } = typeOf(graph, rows) as Type & { shape: readonly number[] };
    types.set(half, bytesType(shape));
    return [
      nibbles("PackNibbles", codesOf.get(rows) ?? rows, half, node.origin),
      { ...node, inputs: [past, half, ...rest] },
      unpacked(node.outputs[0], node.origin),
    ];
  });
  return { ...graph, types, states, nodes: [...early, ...nodes] };
}

function bytesType(codes: readonly number[]): Type {
  return { dtype: "uint8", shape: [...codes.slice(0, -1), codes[codes.length - 1] / 2] };
}

function nibbles(op: string, from: string, to: string, origin: readonly string[]): Node {
  return { op, domain: "npu", inputs: [from], outputs: [to], attrs: attrs({}), origin };
}

function packedTensor(codes: Tensor): Tensor {
  const plain: Tensor = { dtype: "int8", shape: codes.shape, data: Int8Array.from(decode(codes) as ArrayLike<number>) };
  const node = nibbles("PackNibbles", "x", "y", []);
  const [made] = packNibbles.evaluate(node, [plain]);
  return made;
}
