import { elementCount, type Graph, intAttr, isStatic, type Node, type Tensor, typeOf } from "../../ir/graph.ts";
import { decode, isFloat } from "../../ir/numbers.ts";
import { readsOf } from "../../ir/uses.ts";
import { geometryOf } from "../../ops/conv-transpose.ts";
import { kernelOf } from "../../ops/shared/convolution.ts";
import { forEachIndex } from "../../ops/shared/index.ts";
import { forEachWindow, windowOf } from "../../ops/shared/window.ts";
import { type Matrix, transposed } from "./matrix.ts";

/** Weights that linear operators multiply their inputs with, and what of those inputs meets which weight. */
export interface Layer {
  /** The constant's name. */
  readonly weights: string;
  /** Those that read it as weights: the steps of an unrolled LSTM share theirs. */
  readonly nodes: readonly Node[];
  /** The constant's axis of output channels. */
  readonly axis: 0 | 1;
  /** Elements of the constant from one output channel to the next. */
  readonly inner: number;
  /** Output channels, of all groups. */
  readonly rows: number;
  /** What one output sums over: input channels of a group times kernel positions. */
  readonly depth: number;
  readonly groups: number;
}

/** Layers in execution order: Conv, ConvTranspose of one group, Gemm and MatMul with constant float weights of which nothing else is made. */
export function linearLayers(graph: Graph): Layer[] {
  const layers = new Map<string, Layer>();
  const barred = new Set<string>(graph.outputs);
  for (const node of graph.nodes) {
    const found = layerOf(graph, node);
    const known = found && layers.get(found.weights);
    if (found && known && !sameShape(known, found)) barred.add(found.weights);
    else if (found) layers.set(found.weights, { ...found, nodes: [...(known?.nodes ?? []), node] });
    // Weights that are another node's data, or its own bias, have codes of their own there.
    const reads = found ? node.inputs.filter((_, index) => index !== 1) : readsOf(node);
    for (const name of reads) barred.add(name);
  }
  return [...layers.values()].filter(({ weights }) => !barred.has(weights));
}

function sameShape(a: Layer, b: Layer): boolean {
  return a.axis === b.axis && a.inner === b.inner && a.rows === b.rows && a.depth === b.depth && a.groups === b.groups;
}

function layerOf(graph: Graph, node: Node): Layer | undefined {
  if (node.domain !== "") return undefined;
  const [input, weights] = node.inputs;
  const tensor = weights ? graph.constants.get(weights) : undefined;
  const shape = typeOf(graph, input ?? "")?.shape;
  if (!tensor || tensor.quant || !isFloat(tensor.dtype) || !isStatic(shape) || graph.constants.has(input))
    return undefined;
  if (elementCount(tensor.shape) === 0) return undefined;
  const { shape: dims } = tensor;
  if (node.op === "Conv") {
    const [rows, ...rest] = dims;
    const depth = elementCount(rest);
    return { weights, nodes: [node], axis: 0, inner: depth, rows, depth, groups: intAttr(node, "group", 1) };
  }
  if (node.op === "ConvTranspose" && intAttr(node, "group", 1) === 1) {
    const [channels, rows, ...kernel] = dims;
    const inner = elementCount(kernel);
    return { weights, nodes: [node], axis: 1, inner, rows, depth: channels * inner, groups: 1 };
  }
  if (dims.length !== 2) return undefined;
  if (node.op === "MatMul") {
    return { weights, nodes: [node], axis: 1, inner: 1, rows: dims[1], depth: dims[0], groups: 1 };
  }
  if (node.op !== "Gemm" || intAttr(node, "transA", 0) !== 0) return undefined;
  const axis = intAttr(node, "transB", 0) !== 0 ? 0 : 1;
  const inner = axis === 0 ? dims[1] : 1;
  return { weights, nodes: [node], axis, inner, rows: dims[axis], depth: dims[1 - axis], groups: 1 };
}

/** The layer's weights, a row an output channel. */
export function matrixOf({ axis, inner, rows, depth }: Layer, tensor: Tensor): Matrix {
  const values = decode(tensor) as ArrayLike<number>;
  if (axis === 0) return { rows, depth, values: Float64Array.from(values) };
  if (inner === 1) return { rows, depth, values: transposed(values, depth, rows) };
  const place = placeIn(inner, rows);
  return {
    rows,
    depth,
    values: Float64Array.from(values, (_, at) => values[place(Math.floor(at / depth), at % depth)]),
  };
}

/** Where a row's weight lies in a constant whose second axis is that of the rows. */
const placeIn = (inner: number, rows: number) => (row: number, at: number) =>
  (Math.floor(at / inner) * rows + row) * inner + (at % inner);

/** Numbers [rows, depth] in the order of the constant's elements. */
export function inWeightsOrder({ axis, inner, rows, depth }: Layer, values: ArrayLike<number>): ArrayLike<number> {
  if (axis === 0) return values;
  if (inner === 1) return transposed(values, rows, depth);
  const place = placeIn(inner, rows);
  const placed = new Float64Array(values.length);
  for (let at = 0; at < values.length; at++) placed[place(Math.floor(at / depth), at % depth)] = values[at];
  return placed;
}

/** The rows of one group. */
export function groupOf({ rows, depth, values }: Matrix, group: number, groups: number): Matrix {
  const count = rows / groups;
  return { rows: count, depth, values: values.subarray(group * count * depth, (group + 1) * count * depth) };
}

/** How a node's input becomes vectors that its weights are multiplied with. Plain data: it travels to workers. */
export interface Reading {
  readonly value: string;
  readonly groups: number;
  readonly depth: number;
  /** Vectors in one input. */
  readonly count: number;
  /** Of a convolution: the flat offset in a channel's plane of each of its `taps` at each position, −1 where there is none. */
  readonly windows?: { readonly offsets: Int32Array; readonly taps: number; readonly plane: number };
}

export function readingOf(graph: Graph, layer: Layer, node: Node): Reading {
  const value = node.inputs[0];
  const shape = (typeOf(graph, value)?.shape ?? []) as readonly number[];
  const { groups, depth } = layer;
  if (node.op === "ConvTranspose") return transposedReading(graph, layer, node, shape);
  if (node.op !== "Conv") return { value, groups, depth, count: elementCount(shape.slice(0, -1)) };
  const kernel = kernelOf(node, (graph.constants.get(layer.weights) as Tensor).shape);
  const window = windowOf(node, shape.slice(2), kernel);
  const taps = elementCount(kernel);
  const positions = elementCount(window.output);
  const offsets = new Int32Array(positions * taps);
  forEachWindow(shape.slice(2), window, (position, places) => {
    offsets.set(places, position * taps);
  });
  return {
    value,
    groups,
    depth,
    count: shape[0] * positions,
    windows: { offsets, taps, plane: elementCount(shape.slice(2)) },
  };
}

/** An output of a transposed convolution sums over those elements that reach it, each with one of the kernel's positions. */
function transposedReading(graph: Graph, { weights, depth }: Layer, node: Node, shape: readonly number[]): Reading {
  const dims = (graph.constants.get(weights) as Tensor).shape;
  const { kernel, strides, dilations, begin, output } = geometryOf(node, shape, dims);
  const [sizes, spatial] = [shape.slice(2), output as readonly number[]];
  const [taps, positions] = [elementCount(kernel), elementCount(spatial)];
  const offsets = new Int32Array(positions * taps).fill(-1);
  forEachIndex(sizes, (at, offset) => {
    forEachIndex(kernel, (tap, tapAt) => {
      let position = 0;
      for (let axis = 0; axis < sizes.length; axis++) {
        const to = at[axis] * strides[axis] + tap[axis] * dilations[axis] - begin[axis];
        if (to < 0 || to >= spatial[axis]) return;
        position = position * spatial[axis] + to;
      }
      offsets[position * taps + tapAt] = offset;
    });
  });
  const windows = { offsets, taps, plane: elementCount(sizes) };
  return { value: node.inputs[0], groups: 1, depth, count: shape[0] * positions, windows };
}

/**
 * Writes vector `index` of every group into `into` at row `row`: [groups, rows of the buffer, depth], positions of a
 * convolution by channel, then kernel position, as its weights have them.
 */
export function readVector(
  { groups, depth, windows }: Reading,
  values: Float32Array,
  index: number,
  into: Float32Array,
  row: number,
  rows: number,
): void {
  if (windows === undefined) {
    into.set(values.subarray(index * depth, (index + 1) * depth), row * depth);
    return;
  }
  const { offsets, taps, plane } = windows;
  const positions = offsets.length / taps;
  const channels = depth / taps;
  const [image, position] = [Math.floor(index / positions), index % positions];
  const first = position * taps;
  for (let group = 0; group < groups; group++) {
    let at = (group * rows + row) * depth;
    for (let channel = 0; channel < channels; channel++) {
      const from = ((image * groups + group) * channels + channel) * plane;
      for (let tap = first; tap < first + taps; tap++) {
        const offset = offsets[tap];
        into[at++] = offset < 0 ? 0 : values[from + offset];
      }
    }
  }
}
