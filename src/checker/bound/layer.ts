/** The layers of an integer graph as the sizes that their cost depends on. Shapes only: constants need no bytes. */
import { byteSize, elementCount, type Graph, intAttr, intsAttr, isStatic, type Node, typeOf } from "../../ir/graph.ts";
import type { Target } from "../../target/schema.ts";

export interface Sized {
  readonly shape: readonly number[];
  readonly count: number;
  /** Of one element. */
  readonly bytes: number;
}

/** The weights of the array on their way there: bytes of one in memory, and how much faster products with them are. */
export interface WeightForm {
  readonly bytes: number;
  readonly rate: number;
}

/** A window that slides over one axis: outputs, inputs, and what lies between. */
export interface Slide {
  readonly outputs: number;
  readonly inputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

/** Operators whose result is their first input seen in another way: they may cost nothing at all. */
export const VIEWS: ReadonlySet<string> = new Set(["Reshape", "Transpose", "Slice"]);

const PLAIN: WeightForm = { bytes: 1, rate: 1 };

/**
 * The form of every value that may be weights: 4 bits where the target's unpacker can stand between memory and array. In a graph
 * that is not lowered yet, constants of type int4 are what will be unpacked.
 */
export function weightForms(graph: Graph, { array }: Target): (name: string) => WeightForm {
  if (array.int4Storage === "none") return () => PLAIN;
  const packed = new Set<string>();
  for (const node of graph.nodes) {
    // Codes that were packed at run time are unpacked there too, seen in whatever way.
    const passes = node.domain === "npu" && VIEWS.has(node.op) && packed.has(node.inputs[0]);
    if (isUnpacking(node) || isUnpairing(node) || passes) packed.add(node.outputs[0]);
  }
  const form: WeightForm = { bytes: 0.5, rate: array.int4Rate };
  return (name) => (packed.has(name) || graph.constants.get(name)?.dtype === "int4" ? form : PLAIN);
}

export function isUnpacking({ domain, op }: Node): boolean {
  return domain === "npu" && op === "UnpackWeights";
}

/** Whether a node makes codes of bytes that hold two of them. */
export function isUnpairing({ domain, op }: Node): boolean {
  return domain === "npu" && op === "UnpackNibbles";
}

export interface ConvLayer {
  readonly kind: "conv" | "deconv";
  readonly batch: number;
  readonly groups: number;
  /** Of one group. */
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: Slide;
  readonly columns: Slide;
  readonly x: Sized;
  readonly w: Sized;
  readonly y: Sized;
  readonly form: WeightForm;
  readonly table: boolean;
}

export interface MatMulLayer {
  readonly kind: "matmul";
  /** Different right operands. */
  readonly products: number;
  /** Rows of the left operand that meet the same right one. */
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly a: Sized;
  readonly b: Sized;
  readonly y: Sized;
  readonly form: WeightForm;
  /** Whether the drain interpolates a table or divides. */
  readonly computes: boolean;
}

export interface VectorLayer {
  readonly kind: "vector";
  readonly op: string;
  readonly inputs: readonly Sized[];
  readonly y: Sized;
  readonly table: boolean;
  /** Poolings only. */
  readonly window?: readonly [Slide, Slide];
}

export type Layer = ConvLayer | MatMulLayer | VectorLayer;

export function sized(graph: Graph, name: string | undefined): Sized | undefined {
  if (!name) return undefined;
  const type = typeOf(graph, name);
  if (type === undefined || !isStatic(type.shape) || type.container !== undefined || type.dtype === "string")
    return undefined;
  const count = elementCount(type.shape);
  return { shape: type.shape, count, bytes: count === 0 ? 0 : byteSize(type.dtype, type.shape) / count };
}

/** Two spatial axes; a single one lies behind a row of one. */
function spatial({ shape }: Sized): readonly [number, number] {
  return shape.length === 3 ? [1, shape[2]] : [shape[2], shape[3]];
}

function pairOf(node: Node, name: string, fallback: number): readonly [number, number] {
  const given = intsAttr(node, name) ?? [];
  return given.length === 1 ? [fallback, given[0]] : [given[0] ?? fallback, given[1] ?? fallback];
}

/** The begins of ONNX's begins and ends. */
function padsOf(node: Node): readonly [number, number] {
  const given = intsAttr(node, "pads") ?? [];
  return given.length === 2 ? [0, given[0]] : [given[0] ?? 0, given[1] ?? 0];
}

function slides(node: Node, x: Sized, y: Sized, kernel: readonly [number, number]): readonly [Slide, Slide] {
  const [inputs, outputs] = [spatial(x), spatial(y)];
  const [stride, dilation, pad] = [pairOf(node, "strides", 1), pairOf(node, "dilations", 1), padsOf(node)];
  const of = (axis: 0 | 1): Slide => ({
    outputs: outputs[axis],
    inputs: inputs[axis],
    kernel: kernel[axis],
    stride: stride[axis],
    dilation: dilation[axis],
    pad: pad[axis],
  });
  return [of(0), of(1)];
}

function convOf(node: Node, x: Sized, w: Sized, y: Sized, form: WeightForm, table: boolean): ConvLayer | undefined {
  if (![3, 4].includes(x.shape.length) || w.shape.length !== x.shape.length) return undefined;
  const groups = intAttr(node, "group", 1);
  const [rows, columns] = slides(node, x, y, spatial(w));
  const sizes = { batch: x.shape[0], groups, inputs: x.shape[1] / groups, outputs: y.shape[1] / groups };
  return { kind: node.op === "Conv" ? "conv" : "deconv", ...sizes, rows, columns, x, w, y, form, table };
}

function matMulOf(node: Node, a: Sized, b: Sized, y: Sized, form: WeightForm, table: boolean): MatMulLayer | undefined {
  const [left, right] = [
    a.shape.length === 1 ? [1, ...a.shape] : a.shape,
    b.shape.length === 1 ? [...b.shape, 1] : b.shape,
  ];
  if (left.length < 2 || right.length < 2) return undefined;
  const [depth, columns] = right.slice(-2);
  const products = elementCount(right.slice(0, -2));
  const computes = table || intAttr(node, "normalise", 0) === 1;
  return { kind: "matmul", products, rows: y.count / columns / products, depth, columns, a, b, y, form, computes };
}

/** Inputs that are data, and where a table of the post stage would be. */
const VECTOR: ReadonlyMap<string, { readonly data: number; readonly table?: number }> = new Map([
  ["Add", { data: 2, table: 4 }],
  ["Mul", { data: 2, table: 4 }],
  ["Max", { data: 2 }],
  ["Min", { data: 2 }],
  ["Rescale", { data: 1 }],
  ["Table", { data: 1 }],
  ["MaxPool", { data: 1 }],
  ["AveragePool", { data: 1 }],
  ["ReduceSum", { data: 1, table: 3 }],
  ["ReduceL2", { data: 1 }],
  ["ReduceMargin", { data: 1 }],
  ["ReduceMax", { data: 1 }],
  ["ReduceMin", { data: 1 }],
  ["Softmax", { data: 1 }],
  ["LayerNorm", { data: 1 }],
]);

/** Undefined for nodes whose work may vanish into addresses, and for those that the host does. */
export function layerOf(node: Node, graph: Graph, formOf = (_: string) => PLAIN): Layer | undefined {
  if (node.domain !== "npu") return undefined;
  const [x, second, y] = [sized(graph, node.inputs[0]), sized(graph, node.inputs[1]), sized(graph, node.outputs[0])];
  if (!x || !y || x.count === 0 || y.count === 0) return undefined;
  const has = (index: number | undefined) => index !== undefined && Boolean(node.inputs[index]);
  if (node.op === "Conv" || node.op === "ConvTranspose")
    return second && convOf(node, x, second, y, formOf(node.inputs[1]), has(5));
  if (node.op === "MatMul") return second && matMulOf(node, x, second, y, formOf(node.inputs[1]), has(5));
  const known = VECTOR.get(node.op);
  if (!known) return undefined;
  const inputs = known.data === 2 && second ? [x, second] : [x];
  const layer: VectorLayer = { kind: "vector", op: node.op, inputs, y, table: has(known.table) };
  if (!node.op.endsWith("Pool")) return layer;
  return { ...layer, window: slides(node, x, y, pairOf(node, "kernel_shape", 1)) };
}

/** Multiply-accumulates, padding included. */
export function macsOf(layer: Layer): number {
  if (layer.kind === "vector") return 0;
  if (layer.kind === "matmul") return layer.y.count * layer.depth;
  const taps = layer.rows.kernel * layer.columns.kernel;
  return layer.kind === "conv" ? layer.y.count * layer.inputs * taps : layer.x.count * layer.outputs * taps;
}

/** Cells along an axis that windows reach at least: all between the first and the last where they leave no gaps. */
export function cellsReached({ outputs, inputs, kernel, stride, dilation, pad }: Slide): number {
  const reach = (kernel - 1) * dilation + 1;
  if (stride > kernel || dilation > 1) return Math.min(outputs, inputs);
  return Math.max(0, Math.min(inputs, (outputs - 1) * stride + reach - pad));
}
