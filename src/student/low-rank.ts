/** Products as two thinner ones, through the directions in which a layer's results really move. */
import { type Builder, rebuild } from "../ir/build.ts";
import { fromReals, realsOf } from "../ir/channels.ts";
import { floatAttr, type Graph, intAttr, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { float32 } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { inferTypes } from "../ops/infer.ts";
import { symmetricEigen } from "./eigen.ts";
import { type Batch, meansOf, momentProbe, type Probe } from "./means.ts";

/** A layer y = W·x + b whose weights are a matrix of a row a result, columns in the order of the stored weights. */
interface Layer {
  readonly node: Node;
  /** Results a place: rows of the matrix. */
  readonly rows: number;
  /** What each sums over: its columns. */
  readonly depth: number;
  /** Row r, column k is `weights[r·row + k·column]`. */
  readonly row: number;
  readonly column: number;
  /** The axis of the results among the axes of y. */
  readonly axis: number;
}

export interface Factored {
  /** The teacher's name of the layer. */
  readonly name: string;
  readonly rank: { readonly teacher: number; readonly student: number };
  /** The share of the results' energy (of what varies in it, where the layer has a bias) that the thinner layer keeps. */
  readonly kept: number;
}

/**
 * The graph with its dense layers at a rank that makes their multiply-accumulates at most `share` of what they were: y = W·x + b
 * becomes y = U·(Uᵀ·W·x) + b′. With U the first eigenvectors of the results' second moments E[(W·x)(W·x)ᵀ] that is the
 * matrix of its rank with the least E‖y − ŷ‖² (the truncated singular value decomposition of W·H^½, H = E[xxᵀ], whose left vectors
 * these are), on what the layer really reads; with a bias moments are taken about the mean, and b′ = U·Uᵀ·b + (1 − U·Uᵀ)·E[y].
 * Ranks come in multiples of `multiple`; a layer whose rank would be less than one of them stays whole, as do convolutions in
 * groups, transposed ones, and weights that are shared.
 */
export async function factorLayers(
  graph: Graph,
  { share, multiple }: { readonly share: number; readonly multiple: number },
  batches: readonly Batch[],
): Promise<{ graph: Graph; layers: Factored[] }> {
  const ranks = new Map<Node, number>();
  const layers = layersOf(graph).filter(({ node, rows, depth }) => {
    const most = Math.floor((share * rows * depth) / (rows + depth));
    const rank = Math.floor(most / multiple) * multiple;
    if (rank < 1 || rank >= Math.min(rows, depth)) return false;
    ranks.set(node, rank);
    return true;
  });
  if (layers.length === 0) return { graph, layers: [] };
  const moments = await momentsOf(graph, layers, batches);
  const found: Factored[] = [];
  const byNode = new Map(layers.map((layer) => [layer.node, layer]));
  const factored = rebuild(graph, (node, build) => {
    const layer = byNode.get(node);
    const moment = moments.get(node.outputs[0]);
    const weights = layer && realsOf(graph.constants.get(node.inputs[1]) as Tensor);
    if (layer === undefined || moment === undefined || !weights) return false;
    const { rows, depth } = layer;
    const rank = ranks.get(node) ?? rows;
    const { values, vectors } = symmetricEigen(moment.second, rows);
    const whole = values.reduce((sum, value) => sum + Math.max(0, value), 0);
    const energy = values.subarray(0, rank).reduce((sum, value) => sum + Math.max(0, value), 0);
    found.push({
      name: node.origin[0] ?? node.outputs[0],
      rank: { teacher: Math.min(rows, depth), student: rank },
      kept: whole > 0 ? energy / whole : 1,
    });
    const first = new Float64Array(rank * depth);
    for (let r = 0; r < rows; r++) {
      for (let thin = 0; thin < rank; thin++) {
        const factor = vectors[r * rows + thin];
        for (let k = 0; k < depth; k++) {
          first[thin * depth + k] += factor * weights[r * layer.row + k * layer.column];
        }
      }
    }
    const second = new Float64Array(rows * rank);
    for (let r = 0; r < rows; r++) {
      for (let thin = 0; thin < rank; thin++) second[r * rank + thin] = vectors[r * rows + thin];
    }
    const bias = moment.mean && biasOf(graph, node, second, moment.mean, rows, rank);
    replace(graph, layer, build.node, { first, second, rank, ...(bias && { bias }) });
    return true;
  });
  return { graph: inferTypes(factored), layers: found };
}

/** U·Uᵀ·b + (1 − U·Uᵀ)·E[y]. */
function biasOf(graph: Graph, node: Node, u: Float64Array, mean: Float64Array, rows: number, rank: number): Tensor {
  const name = node.inputs[2] ?? "";
  const bias = name === "" ? new Float64Array(rows) : realsOf(graph.constants.get(name) as Tensor);
  const apart = Float64Array.from(mean, (value, r) => (bias?.[r] ?? 0) - value);
  const thin = new Float64Array(rank);
  for (let r = 0; r < rows; r++) for (let k = 0; k < rank; k++) thin[k] += u[r * rank + k] * apart[r];
  const moved = Float64Array.from(mean);
  for (let r = 0; r < rows; r++) for (let k = 0; k < rank; k++) moved[r] += u[r * rank + k] * thin[k];
  return float32([rows], moved);
}

interface Factors {
  /** Uᵀ·W, [rank, depth]. */
  readonly first: Float64Array;
  /** U, [rows, rank]. */
  readonly second: Float64Array;
  readonly rank: number;
  readonly bias?: Tensor;
}

function replace(graph: Graph, layer: Layer, emit: Builder["node"], { first, second, rank, bias }: Factors): void {
  const { node, rows, depth } = layer;
  const tensor = graph.constants.get(node.inputs[1]) as Tensor;
  const set = Object.fromEntries(node.attrs);
  const inTheirOrder = (values: Float64Array, height: number, width: number): Float64Array => {
    if (layer.column === 1) return values;
    const out = new Float64Array(values.length);
    for (let r = 0; r < height; r++) for (let k = 0; k < width; k++) out[k * height + r] = values[r * width + k];
    return out;
  };
  const shapeOf = (height: number, width: number): number[] => {
    if (node.op === "Conv") return [height, width, ...tensor.shape.slice(2).map(() => 1)];
    return layer.column === 1 ? [height, width] : [width, height];
  };
  const thinShape = node.op === "Conv" ? tensor.shape.with(0, rank) : shapeOf(rank, depth);
  const thin = fromReals(tensor.dtype, thinShape, inTheirOrder(first, rank, depth));
  const back = fromReals(tensor.dtype, shapeOf(rows, rank), inTheirOrder(second, rows, rank));
  const [x] = node.inputs;
  const [y] = node.outputs;
  const rest = bias ? [bias] : [];
  if (node.op === "Conv") {
    const kernel = { ints: tensor.shape.slice(2).map(() => 1) };
    emit("Conv", [emit("Conv", [x, thin], set), back, ...rest], { kernel_shape: kernel }, y);
  } else {
    emit(node.op, [emit(node.op, [x, thin], set), back, ...rest], set, y);
  }
}

function layersOf(graph: Graph): Layer[] {
  const uses = countUses(graph);
  return graph.nodes.flatMap((node): Layer[] => {
    const [, name, bias = ""] = node.inputs;
    const tensor = node.domain === "" ? graph.constants.get(name) : undefined;
    if (tensor === undefined || realsOf(tensor) === undefined || uses.get(name) !== 1) return [];
    if (bias !== "" && !graph.constants.has(bias)) return [];
    const { shape } = tensor;
    switch (node.op) {
      case "Conv": {
        if (intAttr(node, "group", 1) !== 1) return [];
        const depth = shape.slice(1).reduce((product, size) => product * size, 1);
        return [{ node, rows: shape[0], depth, row: depth, column: 1, axis: 1 }];
      }
      case "MatMul": {
        const rank = typeOf(graph, node.outputs[0])?.shape?.length ?? 0;
        if (shape.length !== 2 || rank < 2) return [];
        return [{ node, rows: shape[1], depth: shape[0], row: 1, column: shape[1], axis: rank - 1 }];
      }
      case "Gemm": {
        const isPlain =
          floatAttr(node, "alpha", 1) === 1 && floatAttr(node, "beta", 1) === 1 && !intAttr(node, "transA", 0);
        if (!isPlain) return [];
        const turned = intAttr(node, "transB", 0) === 1;
        const [rows, depth] = turned ? [shape[0], shape[1]] : [shape[1], shape[0]];
        if (bias !== "" && graph.constants.get(bias)?.shape.join() !== String(rows)) return [];
        return [{ node, rows, depth, row: turned ? depth : 1, column: turned ? 1 : rows, axis: 1 }];
      }
      default:
        return [];
    }
  });
}

interface Moments {
  /** [rows, rows]: E[yyᵀ], about the mean where there is one. */
  readonly second: Float64Array;
  /** E[y]; absent where the layer has no bias to move. */
  readonly mean?: Float64Array;
}

/** Second moments of what layers give, over all samples and places. */
async function momentsOf(graph: Graph, layers: readonly Layer[], batches: readonly Batch[]) {
  const probes = layers.map(({ node, rows, axis }): Probe => {
    const [value] = node.outputs;
    const rank = typeOf(graph, value)?.shape?.length ?? 0;
    return { key: value, add: momentProbe(value, { rank, axis, size: rows }) };
  });
  const sums = await meansOf(graph, probes, batches);
  const found = new Map<string, Moments>();
  for (const { node, rows } of layers) {
    const sum = sums.get(node.outputs[0]);
    if (sum === undefined) continue;
    const second = new Float64Array(rows * rows);
    const mean = Float64Array.from({ length: rows }, (_, r) => sum[r * (rows + 1) + rows]);
    const hasBias = node.op !== "MatMul";
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < rows; c++) {
        second[r * rows + c] = sum[r * (rows + 1) + c] - (hasBias ? mean[r] * mean[c] : 0);
      }
    }
    found.set(node.outputs[0], { second, ...(hasBias && { mean }) });
  }
  return found;
}
