import { floatAttr, freshName, type Graph, type Node, type Quant, type Tensor } from "../../ir/graph.ts";
import { decode, pack } from "../../ir/numbers.ts";
import { makeTensor } from "../../ir/tensor.ts";
import { namesOf } from "../../ir/uses.ts";
import type { Samples } from "../../pass.ts";
import type { WeightFormat } from "../format.ts";
import { type Algebra, openAlgebra } from "./algebra.ts";
import type { LayerStatistics } from "./gram.ts";
import { groupOf, inWeightsOrder, type Layer, linearLayers, matrixOf } from "./layers.ts";
import { blocksOf, type Matrix, type Rounded, realise } from "./matrix.ts";
import { type RoundingOptions, roundMatrix } from "./round.ts";
import { openSource, type SourceOptions } from "./source.ts";

export interface NetworkOptions extends Omit<RoundingOptions, "format" | "largest">, SourceOptions {
  /** How the weights of a node are stored; undefined where they stay as they are. */
  readonly formatOf: (node: Node) => WeightFormat | undefined;
  /** Whether a layer's inputs come from the layers before it as they are rounded, or from the float model. */
  readonly prefix: "rounded" | "float";
  /** Take the shift of the outputs' means back in the bias. */
  readonly biasCorrection: boolean;
  /** Constants as reals, to look at; as codes with their `quant` otherwise. */
  readonly emit: "codes" | "reals";
}

/** Rounds the weights of all linear layers; the graph itself where there are none. The result does not depend on `jobs`. */
export async function roundNetwork(graph: Graph, samples: Samples, options: NetworkOptions): Promise<Graph> {
  const layers = linearLayers(graph).filter(({ nodes }) => options.formatOf(nodes[0]) !== undefined);
  if (layers.length === 0) return graph;
  const algebra = openAlgebra();
  try {
    const blind = options.method === "nearest" || options.method === "mse";
    const source =
      blind && !options.biasCorrection ? undefined : await openSource(graph, layers, samples, options, algebra);
    const emitted = new Map<string, Tensor>();
    let current = graph;
    for (const [index, layer] of layers.entries()) {
      const seen = await source?.statistics(index, options.prefix === "rounded" ? current : graph);
      const statistics = seen && seen.count > 0 ? seen : undefined;
      const { codes, reals } = await roundLayer(graph, layer, statistics, options, algebra);
      emitted.set(layer.weights, options.emit === "codes" ? codes : reals);
      const matrix = matrixOf(layer, graph.constants.get(layer.weights) as Tensor);
      const shift = options.biasCorrection && statistics && shiftOf(layer, matrix, matrixOf(layer, reals), statistics);
      current = { ...current, constants: new Map(current.constants).set(layer.weights, reals) };
      if (shift) current = withBias(current, layer, shift);
    }
    return { ...current, constants: new Map([...current.constants, ...emitted]) };
  } finally {
    await algebra.release();
  }
}

async function roundLayer(
  graph: Graph,
  layer: Layer,
  statistics: LayerStatistics | undefined,
  options: NetworkOptions,
  algebra: Algebra,
): Promise<{ codes: Tensor; reals: Tensor }> {
  const { depth, rows, groups } = layer;
  const tensor = graph.constants.get(layer.weights) as Tensor;
  const whole = matrixOf(layer, tensor);
  const largest = whole.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const format = options.formatOf(layer.nodes[0]) ?? "int8";
  const square = depth * depth;
  const parts: Rounded[] = [];
  for (let group = 0; group < groups; group++) {
    options.signal?.throwIfAborted();
    const part = (values: Float64Array) => values.subarray(group * square, (group + 1) * square);
    const inputs = statistics && {
      count: statistics.count,
      gram: part(statistics.gram),
      ...(statistics.cross && { cross: part(statistics.cross) }),
    };
    parts.push(await roundMatrix(groupOf(whole, group, groups), inputs, { ...options, format, largest }, algebra));
  }
  const rounded = joined(parts, rows, depth);
  const values = inWeightsOrder(layer, realise(rounded, rows, depth));
  return {
    codes: tensorOf(layer, rounded, format, tensor.shape),
    reals: makeTensor("float32", tensor.shape, Float32Array.from(values)),
  };
}

/** The groups' rows as one matrix: they have their grids' sizes in common. */
function joined(parts: readonly Rounded[], rows: number, depth: number): Rounded {
  const [{ grid }] = parts;
  const codes = new Int8Array(rows * depth);
  const scale = new Float32Array(rows);
  const multipliers = new Uint8Array(rows * blocksOf(depth, grid.block));
  const count = rows / parts.length;
  parts.forEach((part, group) => {
    codes.set(part.codes, group * count * depth);
    scale.set(part.grid.scale, group * count);
    multipliers.set(part.grid.multipliers, (group * multipliers.length) / parts.length);
  });
  return { codes, grid: { ...grid, scale, multipliers } };
}

function tensorOf(layer: Layer, { grid, codes }: Rounded, format: WeightFormat, shape: readonly number[]): Tensor {
  const placed = Int8Array.from(inWeightsOrder(layer, codes));
  const quant: Quant = {
    scale: grid.scale,
    zeroPoint: Int32Array.of(0),
    axis: layer.axis,
    ...(grid.block < layer.depth && { multipliers: { block: grid.block, values: grid.multipliers } }),
  };
  return makeTensor(format, shape, format === "int8" ? placed : pack("int4", 4, placed), quant);
}

/** What rounding adds to the mean of each output: Σ ŵ·E[x̂] − Σ w·E[x]. */
function shiftOf(layer: Layer, exact: Matrix, rounded: Matrix, statistics: LayerStatistics): Float64Array {
  const { rows, depth, groups } = layer;
  const { sum, floatSum, count } = statistics;
  return Float64Array.from({ length: rows }, (_, row) => {
    const inputs = Math.floor(row / (rows / groups)) * depth;
    let shift = 0;
    for (let at = 0; at < depth; at++) {
      const place = row * depth + at;
      shift += rounded.values[place] * sum[inputs + at] - exact.values[place] * floatSum[inputs + at];
    }
    return shift / count;
  });
}

/** The graph whose `layer` has its biases less `shift`; itself where a node can have none, or one that is no constant. */
function withBias(graph: Graph, layer: Layer, shift: Float64Array): Graph {
  const readers = graph.nodes.filter((node) => node.inputs[1] === layer.weights);
  const [bias = ""] = new Set(readers.map((node) => node.inputs[2] ?? ""));
  const old = bias === "" ? undefined : graph.constants.get(bias);
  const values = old ? (decode(old) as ArrayLike<number>) : new Float64Array(layer.rows);
  const takesBias = readers.every(
    (node) =>
      (node.inputs[2] ?? "") === bias &&
      (node.op === "Conv" ||
        node.op === "ConvTranspose" ||
        (node.op === "Gemm" && floatAttr(node, "alpha", 1) === 1 && floatAttr(node, "beta", 1) === 1)),
  );
  if (!takesBias || old?.quant || (bias !== "" && !old) || values.length !== layer.rows) return graph;
  const name = freshName(`${layer.weights}/bias`, namesOf(graph));
  const data = Float32Array.from(shift, (more, row) => values[row] - more);
  const constants = new Map(graph.constants).set(name, makeTensor("float32", [layer.rows], data));
  const nodes = graph.nodes.map((node) =>
    node.inputs[1] === layer.weights ? { ...node, inputs: [...node.inputs.slice(0, 2), name] } : node,
  );
  return { ...graph, nodes, constants };
}
