import { CompileError } from "../../error.ts";
import { quantize } from "../../ir/codes.ts";
import { type Graph, intAttr, type Node, type Quant, type Tensor, type Type, typeOf } from "../../ir/graph.ts";
import { decode } from "../../ir/numbers.ts";
import { countUses } from "../../ir/uses.ts";
import { int4Bounds, mapSubgraphs, renameReads } from "../qdq.ts";
import { beside } from "./conversion.ts";

/**
 * Takes quantization off the graph and into its types: `y = DequantizeLinear(QuantizeLinear(x))` becomes the value `x` with
 * `quant` (under y's name), DequantizeLinear of constant codes a constant with `quant`. Pairs whose codes something else
 * reads, or whose scales are computed or not float32, stay as they are. Where the reals before it are clamped to those of the codes −8 to 7,
 * an int8 is an int4: so `withQdq` says it.
 */
export function foldQdq(graph: Graph, outer: (name: string) => Tensor | undefined = () => undefined): Graph {
  const lookUp = (name: string) => graph.constants.get(name) ?? outer(name);
  const nodes = graph.nodes.map((node) => mapSubgraphs(node, (inner) => foldQdq(inner, lookUp)));
  const inside = nodes.every((node, index) => node === graph.nodes[index]) ? graph : { ...graph, nodes };
  return foldPairs(foldConstants(inside, lookUp), lookUp);
}

/** The smallest normal float32: dividing by less overflows. */
const SMALLEST_SCALE = 2 ** -126;

type LookUp = (name: string) => Tensor | undefined;

/** The scale and zero point that a Quantize- or DequantizeLinear names; undefined where they are not plain constants. */
function quantOf(node: Node, rank: number | undefined, lookUp: LookUp): Quant | undefined {
  const scale = lookUp(node.inputs[1]);
  const point = node.inputs[2] ? lookUp(node.inputs[2]) : undefined;
  if (scale?.dtype !== "float32" || (node.inputs[2] && !point)) return undefined;
  if (point && (point.dtype.startsWith("float") || point.dtype === "string")) return undefined;
  const values = decode(scale) as Float32Array;
  const wrong = values.find((value) => !(value >= SMALLEST_SCALE && value < Number.POSITIVE_INFINITY));
  if (wrong !== undefined) {
    throw new CompileError("model/bad-scale", `the quantization scale ${wrong} is not a positive normal number`, {
      where: `node ${node.origin[0]}, scale ${node.inputs[1]}`,
      remedy: "calibrate the model again",
    });
  }
  const zeroPoint = point ? Int32Array.from(decode(point) as ArrayLike<number>, Number) : Int32Array.of(0);
  if (scale.shape.length === 0 || (values.length === 1 && scale.shape.length === 1))
    return { scale: values, zeroPoint };
  const axis = intAttr(node, "axis", 1);
  if (rank === undefined && axis < 0) return undefined;
  const place = axis < 0 ? axis + (rank ?? 0) : axis;
  const block = intAttr(node, "block_size", 0);
  return { scale: values, zeroPoint, axis: place, ...(block > 0 && { block }) };
}

function isOp(node: Node | undefined, op: string): node is Node {
  return node !== undefined && node.domain === "" && node.op === op;
}

/** DequantizeLinear of constant codes, also where the codes are QuantizeLinear of a constant. */
function foldConstants(graph: Graph, lookUp: LookUp): Graph {
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const codesOf = (name: string) => constants.get(name) ?? lookUp(name);
  const nodes = graph.nodes.filter((node) => {
    const source = node.inputs[0] ? codesOf(node.inputs[0]) : undefined;
    if (source === undefined || source.quant !== undefined || source.dtype === "string") return true;
    const quant = quantOf(node, source.shape.length, codesOf);
    if (quant === undefined) return true;
    if (isOp(node, "QuantizeLinear") && source.dtype === "float32") {
      const dtype = node.inputs[2]
        ? lookUp(node.inputs[2])?.dtype
        : node.attrs.has("output_dtype")
          ? undefined
          : "uint8";
      if (dtype === undefined || graph.outputs.includes(node.outputs[0])) return true;
      const { shape, data } = quantize(source, dtype, quant);
      constants.set(node.outputs[0], { dtype, shape, data });
    } else if (isOp(node, "DequantizeLinear") && !source.dtype.startsWith("float")) {
      constants.set(node.outputs[0], { ...source, quant });
    } else return true;
    types.delete(node.outputs[0]);
    return false;
  });
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes, constants, types };
}

function sameQuant(a: Quant, b: Quant): boolean {
  const equal = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    x.length === y.length && Array.from(x).every((value, index) => Object.is(value, y[index]));
  return a.axis === b.axis && a.block === b.block && equal(a.scale, b.scale) && equal(a.zeroPoint, b.zeroPoint);
}

/** What a Clip clamps, if to the 16 codes from −8 on of the int8 that it is quantized to. */
function clampTo16(clip: Node, quantizer: Node, lookUp: LookUp): string | undefined {
  const [source, ...bounds] = clip.inputs;
  const quant = quantOf(quantizer, undefined, lookUp);
  if (!isOp(clip, "Clip") || bounds.length !== 2 || quant === undefined || quant.axis !== undefined) return undefined;
  if (lookUp(quantizer.inputs[2] ?? "")?.dtype !== "int8") return undefined;
  const wanted = int4Bounds(quant);
  const own = bounds.map((name) => lookUp(name));
  const isSame = own.every((tensor, at) => tensor?.dtype === "float32" && decode(tensor)[0] === wanted[at]);
  return isSame ? source : undefined;
}

function foldPairs(graph: Graph, lookUp: LookUp): Graph {
  const uses = countUses(graph);
  const makers = new Map<string, Node>();
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) makers.set(name, node);
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const types = new Map(graph.types);
  /** Dequantized values under the name of the first one. */
  const renamed = new Map<string, string>();
  /** Quantize nodes → what stands there now. */
  const replaced = new Map<Node, Node | undefined>();
  /** Producers' outputs under their new name. */
  const outputs = new Map<string, string>();

  for (const quantizer of graph.nodes) {
    if (!isOp(quantizer, "QuantizeLinear")) continue;
    const [codes] = quantizer.outputs;
    const after = readers.get(codes) ?? [];
    const type = graph.types.get(codes);
    const clamped = makers.get(quantizer.inputs[0]);
    const clamp = clamped && uses.get(quantizer.inputs[0]) === 1 ? clampTo16(clamped, quantizer, lookUp) : undefined;
    const real = clamp ?? quantizer.inputs[0];
    const realType = typeOf(graph, real);
    const quant = quantOf(quantizer, realType?.shape?.length ?? type?.shape?.length, lookUp);
    const pairs = after.every((node) => {
      if (!isOp(node, "DequantizeLinear") || node.inputs[0] !== codes) return false;
      const own = quantOf(node, type?.shape?.length, lookUp);
      return own !== undefined && quant !== undefined && sameQuant(own, quant);
    });
    if (!quant || !type || !pairs || after.length === 0 || uses.get(codes) !== after.length) continue;
    if (realType && realType.dtype !== "float32") continue;
    const results = after.map((node) => node.outputs[0]);
    const kept = results.filter((name) => graph.outputs.includes(name));
    const [first] = kept.length > 0 ? kept : results;
    if (kept.length > 1) continue;
    const alone = uses.get(real) === 1;
    const quantized: Type = { ...type, ...(clamp !== undefined && { dtype: "int4" }), quant };
    if (clamp !== undefined && clamped) {
      types.delete(quantizer.inputs[0]);
      replaced.set(clamped, undefined);
    }
    if (alone && graph.inputs.includes(real) && kept.length === 0) {
      for (const name of results) renamed.set(name, real);
      types.set(real, quantized);
      replaced.set(quantizer, undefined);
    } else {
      for (const name of results) if (name !== first) renamed.set(name, first);
      types.set(first, quantized);
      if (alone && makers.has(real)) {
        outputs.set(real, first);
        types.delete(real);
        replaced.set(quantizer, undefined);
      } else replaced.set(quantizer, { ...beside(quantizer, "Identity", [real], first), origin: quantizer.origin });
    }
    types.delete(codes);
    for (const node of after) replaced.set(node, undefined);
  }
  if (replaced.size === 0) return graph;

  for (const name of renamed.keys()) types.delete(name);
  const nodes = graph.nodes.flatMap((node) => {
    const now = replaced.has(node) ? replaced.get(node) : node;
    if (now === undefined) return [];
    const named = now.outputs.some((name) => outputs.has(name))
      ? { ...now, outputs: now.outputs.map((name) => outputs.get(name) ?? name) }
      : now;
    return [renameReads(named, renamed)];
  });
  return { ...graph, nodes, types };
}
