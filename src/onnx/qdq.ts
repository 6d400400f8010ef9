import {
  type Attr,
  type Attrs,
  type DType,
  freshName,
  type Graph,
  logical,
  type Node,
  type Quant,
  type Tensor,
  type Type,
} from "../ir/graph.ts";
import { encode } from "../ir/numbers.ts";
import { blockedWeights } from "./qdq/blocked.ts";

/**
 * Says `quant` as ONNX says it, for export. A value `y` of a node becomes `y/real` (what the node computes),
 * `y/codes = QuantizeLinear(y/real)` and `y = DequantizeLinear(y/codes)`, so all its readers keep its name. A graph input
 * keeps its own name and its readers take `x/dequantized`. A constant becomes its codes and a DequantizeLinear, in blocks where
 * it has multipliers. A value of 4 bits is clamped to its 16 codes' reals and has codes of 8: ONNX Runtime (1.30) lays other tensors of its
 * shape over one of int4, which is half as long.
 *
 * Returns the same graph where nothing is quantized, and where nodes are the chip's: those read codes.
 */
export function withQdq(graph: Graph): Graph {
  if (graph.nodes.some((node) => node.domain === "npu")) return graph;
  const inner = graph.nodes.map(withQdqInside);
  const quantized = [...graph.types].some(([, type]) => type.quant) || [...graph.constants].some(([, t]) => t.quant);
  if (!quantized) {
    const same = inner.every((node, index) => node === graph.nodes[index]);
    return same ? graph : { ...graph, nodes: inner };
  }

  const taken = new Set<string>([...graph.inputs, ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) taken.add(name);
  const fresh = (hint: string) => {
    const name = freshName(hint, taken);
    taken.add(name);
    return name;
  };
  const constants = new Map<string, Tensor>();
  const types = new Map<string, Type>();
  const nodes: Node[] = [];
  const renamed = new Map<string, string>();

  const parameters = (name: string, dtype: DType, quant: Quant): string[] => {
    const [scale, zeroPoint] = quantTensors(dtype, quant, shapeOf(graph, name));
    const names = [fresh(`${name}/scale`)];
    constants.set(names[0], scale);
    if (zeroPoint) {
      names.push(fresh(`${name}/zero-point`));
      constants.set(names[1], zeroPoint);
    }
    return names;
  };
  /** `real` → codes → `dequantized`. */
  const pair = (real: string, dequantized: string, name: string, type: Type, quant: Quant): void => {
    const narrow = quant.axis === undefined ? NARROW.get(type.dtype) : undefined;
    const dtype = narrow?.stored ?? type.dtype;
    const extra = parameters(name, dtype, quant);
    const codes = fresh(`${name}/codes`);
    types.set(codes, type.shape ? { dtype, shape: type.shape } : { dtype });
    const attrs = axisAttrs(quant);
    let source = real;
    if (narrow) {
      source = fresh(`${name}/clamped`);
      types.set(source, logical(type));
      const bounds = int4Bounds(quant, narrow.lowest).map((bound, at): string => {
        const made = fresh(`${name}/${at === 0 ? "lowest" : "highest"}`);
        constants.set(made, { dtype: "float32", shape: [], data: Float32Array.of(bound) });
        return made;
      });
      const inputs = [real, ...bounds];
      nodes.push({ op: "Clip", domain: "", inputs, outputs: [source], attrs: new Map(), origin: [source] });
    }
    nodes.push(
      { op: "QuantizeLinear", domain: "", inputs: [source, ...extra], outputs: [codes], attrs, origin: [codes] },
      {
        op: "DequantizeLinear",
        domain: "",
        inputs: [codes, ...extra],
        outputs: [dequantized],
        attrs,
        origin: [dequantized],
      },
    );
  };

  for (const [name, tensor] of graph.constants) {
    if (!tensor.quant) {
      constants.set(name, tensor);
      continue;
    }
    const codes = fresh(`${name}/codes`);
    if (tensor.quant.multipliers) {
      for (const [own, made] of blockedWeights(name, codes, tensor, tensor.quant.multipliers, fresh, nodes)) {
        constants.set(own, made);
      }
      continue;
    }
    constants.set(codes, { dtype: tensor.dtype, shape: tensor.shape, data: tensor.data });
    const inputs = [codes, ...parameters(name, tensor.dtype, tensor.quant)];
    const attrs = axisAttrs(tensor.quant);
    nodes.push({ op: "DequantizeLinear", domain: "", inputs, outputs: [name], attrs, origin: [name] });
  }
  for (const [name, type] of graph.types) types.set(name, logical(type));
  for (const name of graph.inputs) {
    const type = graph.types.get(name);
    if (!type?.quant) continue;
    const dequantized = fresh(`${name}/dequantized`);
    renamed.set(name, dequantized);
    types.set(dequantized, logical(type));
    pair(name, dequantized, name, type, type.quant);
  }
  for (const node of inner) {
    const made: [string, string, Type, Quant][] = [];
    const outputs = node.outputs.map((name) => {
      const type = graph.types.get(name);
      if (name === "" || !type?.quant) return name;
      const real = fresh(`${name}/real`);
      types.set(real, logical(type));
      made.push([real, name, type, type.quant]);
      return real;
    });
    nodes.push(renameReads({ ...node, outputs }, renamed));
    for (const [real, name, type, quant] of made) pair(real, name, name, type, quant);
  }
  return { ...graph, nodes, constants, types };
}

/** Types of 4 bits: what their codes are written as, and the least of them. */
const NARROW = new Map<DType, { readonly stored: DType; readonly lowest: number }>([
  ["int4", { stored: "int8", lowest: -8 }],
  ["uint4", { stored: "uint8", lowest: 0 }],
]);

/** The reals of the first and the last of 16 codes, in single precision. */
export function int4Bounds({ scale, zeroPoint }: Quant, lowest = -8): [number, number] {
  const real = (code: number): number => Math.fround((code - (zeroPoint[0] ?? 0)) * scale[0]);
  return [real(lowest), real(lowest + 15)];
}

function withQdqInside(node: Node): Node {
  return mapSubgraphs(node, withQdq);
}

/** The node with each of its subgraphs replaced; the same node where none changed. */
export function mapSubgraphs(node: Node, change: (graph: Graph) => Graph): Node {
  let changed = false;
  const visit = (graph: Graph): Graph => {
    const result = change(graph);
    changed ||= result !== graph;
    return result;
  };
  const attrs = new Map<string, Attr>();
  for (const [name, attr] of node.attrs) {
    if ("g" in attr) attrs.set(name, { g: visit(attr.g) });
    else if ("gs" in attr) attrs.set(name, { gs: attr.gs.map(visit) });
    else attrs.set(name, attr);
  }
  return changed ? { ...node, attrs } : node;
}

/** The node reading other values, in its subgraphs too, where nothing inside has the name. */
export function renameReads(node: Node, names: ReadonlyMap<string, string>): Node {
  if (names.size === 0) return node;
  const rename = (name: string) => names.get(name) ?? name;
  const inner = mapSubgraphs(node, (graph) => renameInGraph(graph, names));
  return inner.inputs.some((name) => names.has(name)) ? { ...inner, inputs: inner.inputs.map(rename) } : inner;
}

function renameInGraph(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const visible = new Map(names);
  for (const name of [...graph.inputs, ...graph.constants.keys()]) visible.delete(name);
  for (const node of graph.nodes) for (const name of node.outputs) visible.delete(name);
  if (visible.size === 0) return graph;
  const nodes = graph.nodes.map((node) => renameReads(node, visible));
  const outputs = graph.outputs.map((name) => visible.get(name) ?? name);
  const same =
    nodes.every((node, index) => node === graph.nodes[index]) &&
    outputs.every((name, index) => name === graph.outputs[index]);
  return same ? graph : { ...graph, nodes, outputs };
}

function shapeOf(graph: Graph, name: string): readonly number[] {
  const shape = graph.constants.get(name)?.shape ?? graph.types.get(name)?.shape ?? [];
  return shape.map((dim) => (typeof dim === "number" ? dim : 0));
}

function axisAttrs(quant: Quant): Attrs {
  const attrs = new Map<string, Attr>();
  if (quant.axis !== undefined) attrs.set("axis", { i: quant.axis });
  if (quant.block !== undefined) attrs.set("block_size", { i: quant.block });
  return attrs;
}

/** Scale and zero point as ONNX lays them out. int32 codes have no zero point in ONNX. */
function quantTensors(dtype: DType, quant: Quant, shape: readonly number[]): [Tensor, Tensor | undefined] {
  const count = quant.scale.length;
  let own: number[] = quant.axis === undefined ? [] : [count];
  if (quant.block !== undefined && quant.axis !== undefined) {
    const { axis, block } = quant;
    own = shape.map((dim, index) => (index === axis ? Math.ceil(dim / block) : dim));
  }
  const scale: Tensor = { dtype: "float32", shape: own, data: quant.scale };
  if (dtype === "int32") return [scale, undefined];
  const points = quant.zeroPoint;
  const full = points.length === count ? points : new Int32Array(count).fill(points[0] ?? 0);
  return [scale, { dtype, shape: own, data: encode(dtype, full) }];
}
