/** A student's layers one after the other, brought as near to the teacher's values as what they now read allows. */
import { type Graph, intAttr, intsAttr, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { float32, int64, valuesOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { solve } from "./compensate.ts";
import { type Batch, meansOf, type Probe } from "./means.ts";
import { taken } from "./slice.ts";
import { type Walk, walkOf } from "./walk.ts";

/** Samples that are run at a time, and of how many batches at least each layer's places are looked at. */
const CHUNK = 4;
const LEAST_CHUNKS = 8;
/** Places a number that is looked for: so many are looked at where there are as many, and below the second a layer stays as it is. */
const PLENTY = 64;
const TOO_FEW = 4;
/** Numbers a result sums over, above which a layer stays as it is: the equations' cost grows with their cube. */
const MOST_DEPTH = 2560;
/** Of the mean of E[p²]: what moves away from the weights that are there. */
const RIDGE = 1e-4;

interface Layer {
  readonly node: Node;
  readonly at: number;
  /** The place of the node that makes the same value in the teacher. */
  readonly taught: number;
  readonly weights: string;
  readonly bias?: string;
  /** Which of the teacher's channels the value has; undefined where all. */
  readonly kept: readonly number[] | undefined;
  /** Groups, numbers each result of a group sums over (without the bias), results of a group. */
  readonly groups: number;
  readonly depth: number;
  readonly results: number;
  /** Of a convolution. */
  readonly kernel: readonly number[];
}

/**
 * The student with other weights and biases. In the order in which they run, each convolution (dense or depthwise) and each
 * product with constant weights gets W of least E‖W·p + b − y‖² + ρ‖W − W₀‖²: p is what the student's layer reads at a place, behind layers
 * that have been fitted already, y the channels that stay of what the teacher's layer of that name makes. So no layer's error adds up with
 * those before it, as it does where each takes its inputs for the teacher's. `kept` says which indices of a teacher's axis stay.
 */
export async function reconstructed(
  student: Graph,
  teacher: Graph,
  kept: (value: string, axis: number) => readonly number[] | undefined,
  batches: readonly Batch[],
): Promise<Graph> {
  const chunks = batches.flatMap(cut);
  if (chunks.length === 0) return student;
  const [own, whole] = [walkOf(student, chunks), walkOf(teacher, chunks)];
  const constants = new Map(student.constants);
  for (const layer of layersOf(student, teacher, kept)) {
    const { node, at, taught } = layer;
    const [value] = node.inputs;
    await own.advance(at, [value]);
    await whole.advance(taught + 1, node.outputs);
    const pairs = pairsOf(own, whole, layer);
    if (pairs.length === 0) continue;
    const moments = await momentsOf(student, layer, pairs);
    for (const [name, tensor] of fitted(layer, moments, constants)) {
      constants.set(name, tensor);
      own.change(name, tensor);
    }
  }
  return { ...student, constants };
}

/** A batch as several of at most `CHUNK` samples; those that are left over go. */
function cut(batch: Batch): Batch[] {
  const [first] = batch.values();
  const samples = first?.shape[0] ?? 0;
  if ([...batch.values()].some(({ shape }) => shape[0] !== samples)) return [batch];
  const size = Math.min(CHUNK, samples);
  return Array.from({ length: size === 0 ? 0 : Math.floor(samples / size) }, (_, part) => {
    const indices = Array.from({ length: size }, (_, index) => part * size + index);
    return new Map([...batch].map(([name, tensor]) => [name, taken(tensor, 0, indices)] as const));
  });
}

/** From the first layer on that reads less than its teacher's does: before it, all is as it was. */
function layersOf(
  student: Graph,
  teacher: Graph,
  kept: (value: string, axis: number) => readonly number[] | undefined,
): Layer[] {
  const uses = countUses(student);
  const places = new Map(teacher.nodes.flatMap(({ outputs }, at) => outputs.map((name) => [name, at] as const)));
  const layers: Layer[] = [];
  for (const [at, node] of student.nodes.entries()) {
    const [, weights, bias = ""] = node.inputs;
    const tensor = node.domain === "" ? student.constants.get(weights) : undefined;
    const taught = places.get(node.outputs[0]);
    if (tensor?.dtype !== "float32" || tensor.quant || uses.get(weights) !== 1 || taught === undefined) continue;
    if (bias !== "" && (student.constants.get(bias)?.dtype !== "float32" || uses.get(bias) !== 1)) continue;
    const sizes = sizesOf(student, node, tensor);
    const before = teacher.constants.get(teacher.nodes[taught].inputs[1]);
    if (sizes === undefined || before === undefined || teacher.nodes[taught].op !== node.op) continue;
    const axis = node.op === "Conv" ? 1 : (typeOf(teacher, node.outputs[0])?.shape?.length ?? 0) - 1;
    const along = node.op === "Conv" ? 1 : 0;
    if (axis < 1 || (layers.length === 0 && tensor.shape[along] === before.shape[along])) continue;
    layers.push({
      node,
      at,
      taught,
      weights,
      ...(bias !== "" && { bias }),
      kept: kept(node.outputs[0], axis),
      ...sizes,
    });
  }
  return layers;
}

type Sizes = Pick<Layer, "groups" | "depth" | "results" | "kernel">;

function sizesOf(graph: Graph, node: Node, { shape }: Tensor): Sizes | undefined {
  if (node.op === "MatMul") {
    return shape.length === 2 ? { groups: 1, depth: shape[0], results: shape[1], kernel: [] } : undefined;
  }
  if (node.op !== "Conv" || shape.length !== 4) return undefined;
  const kernel = shape.slice(2);
  const taps = kernel[0] * kernel[1];
  const groups = intAttr(node, "group", 1);
  if (groups === 1) return { groups, depth: shape[1] * taps, results: shape[0], kernel };
  const isDepthwise = shape[1] === 1 && shape[0] === groups && typeOf(graph, node.inputs[0])?.shape?.[1] === groups;
  return isDepthwise ? { groups, depth: taps, results: 1, kernel } : undefined;
}

/** As many batches as the layer needs; none where there are too few places, or a value is not there. */
function pairsOf(own: Walk, whole: Walk, { node, depth }: Layer): Batch[] {
  const [read, made] = [own.values(node.inputs[0]), whole.values(node.outputs[0])];
  const [x, y] = [read?.[0], made?.[0]];
  if (read === undefined || made === undefined || x?.dtype !== "float32" || y?.dtype !== "float32") return [];
  const channels = node.op === "Conv" ? y.shape[1] : (y.shape.at(-1) ?? 1);
  const places = valuesOf(y).length / Math.max(1, channels);
  if (depth > MOST_DEPTH || places * read.length < TOO_FEW * (depth + 1)) return [];
  const count = Math.max(LEAST_CHUNKS, Math.ceil((PLENTY * (depth + 1)) / Math.max(1, places)));
  return read.slice(0, count).map((tensor, index) => {
    return new Map([
      ["read", tensor],
      ["made", made[index]],
    ]);
  });
}

/** [groups, depth (+ 1 with a bias), the same + results]: E[ppᵀ] and E[pyᵀ] side by side, over a batch's places. */
async function momentsOf(graph: Graph, layer: Layer, pairs: readonly Batch[]): Promise<Float64Array> {
  const types = new Map([...pairs[0]].map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const));
  const bare = { ...graph, inputs: ["read", "made"], outputs: [], nodes: [], constants: new Map(), types, states: [] };
  const found = await meansOf(bare, [{ key: "moments", add: probeOf(layer) }], pairs);
  return found.get("moments") ?? new Float64Array();
}

function probeOf(layer: Layer): Probe["add"] {
  const { node, kept, groups, depth, results, bias } = layer;
  const isConv = node.op === "Conv";
  return (emit) => {
    const flat = (value: string, rows: number): string =>
      isConv
        ? emit("Reshape", [value, int64([4], [0, groups, rows, -1])])
        : emit("Transpose", [emit("Reshape", [value, int64([4], [1, 1, -1, rows])])], { perm: { ints: [0, 1, 3, 2] } });
    const patches =
      isConv && !isPointwise(layer) ? emit("Conv", ["read", taps(layer)], Object.fromEntries(node.attrs)) : "read";
    const read = flat(patches, depth);
    const one = { alpha: { f: 0 }, beta: { f: 1 } };
    const ones =
      bias === undefined ? undefined : emit("HardSigmoid", [emit("ReduceMean", [read, int64([1], [2])])], one);
    const rows = ones === undefined ? read : emit("Concat", [read, ones], { axis: { i: 2 } });
    const axis = { axis: { i: isConv ? 1 : -1 } };
    const made = kept === undefined ? "made" : emit("Gather", ["made", int64([kept.length], kept)], axis);
    const both = emit("Concat", [rows, flat(made, results)], { axis: { i: 2 } });
    const products = emit("MatMul", [rows, emit("Transpose", [both], { perm: { ints: [0, 1, 3, 2] } })]);
    return emit("ReduceMean", [products, int64([1], [0])], { keepdims: { i: 0 } });
  };
}

/** Does the kernel read the very numbers that are there, one after the other? */
function isPointwise({ node, kernel }: Layer): boolean {
  const all = (name: string, value: number): boolean => (intsAttr(node, name) ?? []).every((each) => each === value);
  return all("strides", 1) && all("pads", 0) && kernel.every((size) => size === 1);
}

/** Weights of a convolution that makes a channel of every number that the layer's kernels read at a place. */
function taps({ groups, depth, kernel }: Layer): Tensor {
  const channels = depth / kernel.reduce((product, size) => product * size, 1);
  const data = new Float32Array(groups * depth * depth);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < depth; row++) data[(group * depth + row) * depth + row] = 1;
  }
  return float32([groups * depth, channels, ...kernel], data);
}

/** W₀ + Δ with (A + ρ)·Δᵀ = B − A·W₀ᵀ for each group; nothing where that has no finite answer. */
function fitted(layer: Layer, moments: Float64Array, constants: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  const { groups, depth, results, node } = layer;
  const weights = constants.get(layer.weights) as Tensor;
  const bias = layer.bias === undefined ? undefined : (constants.get(layer.bias) as Tensor);
  const size = depth + (bias === undefined ? 0 : 1);
  const width = size + results;
  const values = Float32Array.from(valuesOf(weights) as Float32Array);
  const shifts = bias && Float32Array.from(valuesOf(bias) as Float32Array);
  const place = (group: number, row: number, result: number): number =>
    node.op === "Conv" ? (group * results + result) * depth + row : row * results + result;
  for (let group = 0; group < groups; group++) {
    const start = group * size * width;
    const a = new Float64Array(size * size);
    const b = new Float64Array(size * results);
    let trace = 0;
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) a[row * size + column] = moments[start + row * width + column];
      trace += a[row * size + row];
    }
    const before = (row: number, result: number): number =>
      row < depth ? values[place(group, row, result)] : (shifts?.[group * results + result] ?? 0);
    const first = new Float64Array(size * results);
    for (let row = 0; row < size; row++) {
      for (let result = 0; result < results; result++) first[row * results + result] = before(row, result);
    }
    for (let row = 0; row < size; row++) {
      for (let result = 0; result < results; result++)
        b[row * results + result] = moments[start + row * width + size + result];
      for (let k = 0; k < size; k++) {
        const factor = a[row * size + k];
        for (let result = 0; result < results; result++)
          b[row * results + result] -= factor * first[k * results + result];
      }
    }
    const ridge = (RIDGE * trace) / size;
    if (!(ridge > 0)) continue;
    for (let row = 0; row < size; row++) a[row * size + row] += ridge;
    solve(a, size, b, results);
    if (!b.every(Number.isFinite)) continue;
    for (let row = 0; row < size; row++) {
      for (let result = 0; result < results; result++) {
        if (row < depth) values[place(group, row, result)] += b[row * results + result];
        else if (shifts) shifts[group * results + result] += b[row * results + result];
      }
    }
  }
  return [
    [layer.weights, { ...weights, data: values }],
    ...(layer.bias !== undefined && bias && shifts
      ? [[layer.bias, { ...bias, data: shifts }] as [string, Tensor]]
      : []),
  ];
}
