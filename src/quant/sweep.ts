import { attrs, elementCount, type Graph, intAttr, isStatic, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { makeTensor, valuesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { type Multiplier, multiplierOf } from "../ops/lowering/multiplier.ts";
import { unpackedConstant, unpacksConstants } from "../ops/shared/npu/unpacked.ts";
import type { Execute } from "../pass.ts";
import { codeSums } from "./code-sums.ts";

/** What the float model makes at a linear operator, before any activation: what the integers are compared with. */
export interface FloatMean {
  /** Mean of each channel over the sweep's samples. */
  readonly means: readonly number[];
  /** The same behind the functions that ride on the operator, where there are any. */
  readonly after?: readonly number[];
  /** Largest magnitude that calibration saw. */
  readonly reach: number;
}

/** Operators with a bias of one number a channel at input 2. */
const LINEAR = new Set(["Conv", "ConvTranspose", "MatMul"]);

/**
 * Empirical bias correction on the quantized prefix (Nagel et al. 2019, §4.2; the order of NNCF's accurate variant): the
 * samples go through the integer graph together, operator by operator. At each linear one the mean of every channel is
 * compared with the float model's, and the bias takes back the difference before anything behind it is computed. So an
 * offset that earlier roundings left does not travel on.
 *
 * Where a function rides on the accumulator, what is compared is what it gives: a Relu throws the errors of negative numbers
 * away, and a bias that makes up for these shifts the numbers that are kept. What storing the result in 8 bits adds is no part
 * of it, since only the reader can take that back. `means` are by the names of the linear operators' outputs.
 */
export function sweepBias(
  graph: Graph,
  means: ReadonlyMap<string, FloatMean>,
  samples: readonly ReadonlyMap<string, Tensor>[],
  execute: Execute,
): Graph {
  const constants = new Map(graph.constants);
  const lastUse = lastReads(graph);
  const values = samples.map((feeds) => new Map(feeds));
  const nodes: Node[] = [];
  const unpacked: string[] = [];
  for (const [index, node] of graph.nodes.entries()) {
    if (unpacksConstants(node, graph)) {
      constants.set(node.outputs[0], unpackedConstant(node, graph));
      unpacked.push(node.outputs[0]);
      nodes.push(node);
      continue;
    }
    const mean =
      LINEAR.has(node.op) && node.domain === "npu" && node.inputs[2] ? means.get(node.outputs[0]) : undefined;
    const corrected = mean ? correct(graph, node, mean, constants, values, execute) : node;
    nodes.push(corrected);
    runOn(graph, corrected, constants, values, execute);
    for (const name of readsOf(node)) {
      if (lastUse.get(name) === index) for (const held of values) held.delete(name);
    }
  }
  for (const name of unpacked) constants.delete(name);
  const used = new Set([...nodes.flatMap(readsOf), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { ...graph, nodes, constants };
}

function lastReads(graph: Graph): Map<string, number> {
  const last = new Map<string, number>();
  for (const [index, node] of graph.nodes.entries()) for (const name of readsOf(node)) last.set(name, index);
  return last;
}

type Held = Map<string, Tensor>[];

function runOn(graph: Graph, node: Node, constants: ReadonlyMap<string, Tensor>, values: Held, execute: Execute): void {
  const inputs = [...new Set(readsOf(node).filter((name) => !constants.has(name)))];
  const program = execute(only(graph, [node], inputs, constants));
  for (const held of values) {
    const feeds = new Map(inputs.map((name) => [name, held.get(name) as Tensor]));
    for (const [name, tensor] of program.run(feeds)) held.set(name, tensor);
  }
}

/** A graph of these nodes, all of whose results are wanted. */
function only(
  graph: Graph,
  nodes: readonly Node[],
  inputs: readonly string[],
  constants: ReadonlyMap<string, Tensor>,
): Graph {
  const outputs = nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
  const read = new Set(nodes.flatMap(readsOf));
  return {
    ...graph,
    ...{ inputs, outputs, nodes, states: [] },
    constants: new Map([...constants].filter(([name]) => read.has(name))),
  };
}

function correct(
  graph: Graph,
  node: Node,
  { means, after, reach }: FloatMean,
  constants: Map<string, Tensor>,
  values: Held,
  execute: Execute,
): Node {
  const bias = constants.get(node.inputs[2]);
  const units = unitsOf(graph, node, constants, means.length);
  if (!bias || !units || bias.shape[0] !== means.length || !(reach > 0)) return node;
  const measure = (stage: Stage, codes: Int32Array, steps?: readonly number[]) =>
    measured(graph, node, stage, [codes, ...(steps ? [codes.map((code, at) => code + steps[at])] : [])], {
      ...{ constants, values, execute },
    });
  const codes = valuesOf(bias) as Int32Array;
  const shifts = after
    ? shiftsBehind(fineStage(graph, node, constants), after, codes, units, reach, measure)
    : shiftsBefore(accumulatorStage(node, units, reach), means, codes, units, measure);
  if (!shifts) return node;
  const corrected = Int32Array.from(codes, (code, channel) => {
    const moved = code + Math.round(shifts[channel]);
    return Number.isFinite(moved) && Math.abs(moved) < 2 ** 31 ? moved : code;
  });
  const name = `${node.outputs[0]}/swept-bias`;
  constants.set(name, makeTensor("int32", [corrected.length], corrected));
  return { ...node, inputs: node.inputs.map((input, index) => (index === 2 ? name : input)) };
}

/** What a stage stores with biases `codes`, and what these being larger by `steps` does to it. */
type Measure = (stage: Stage, codes: Int32Array, steps?: readonly number[]) => Measured | undefined;

/** How far each bias must move, in units of its accumulator, for the accumulators to have the wanted means. */
function shiftsBefore(
  stage: Stage,
  wanted: readonly number[],
  codes: Int32Array,
  units: readonly number[],
  measure: Measure,
): number[] | undefined {
  const found = measure(stage, codes);
  return found && wanted.map((mean, channel) => (mean - found.means[channel]) / units[channel]);
}

/** A step of the bias that tells how the function's results follow, and how far a bias is moved at most: shares of `reach`. */
const [STEP, FARTHEST] = [1 / 256, 1 / 16];

/**
 * The same behind a function that rides on the accumulator. With D the slope at each number and e its error, the bias that leaves
 * the least error is E[D²·e] / E[D²]. What is seen is E[D·e], the difference of the means; D is taken for either 0 or the largest
 * slope there is, which it is with a Relu, and nearly with its smooth relatives.
 */
function shiftsBehind(
  stage: Stage | undefined,
  wanted: readonly number[],
  codes: Int32Array,
  units: readonly number[],
  reach: number,
  measure: Measure,
): number[] | undefined {
  if (!stage) return undefined;
  const steps = units.map((unit) => Math.max(1, Math.round((reach * STEP) / unit)));
  const found = measure(stage, codes, steps);
  return (
    found &&
    wanted.map((mean, channel) => {
      const [step, most, square] = [steps[channel], found.most[channel], found.squares[channel]];
      const shift = (step * most * (mean - found.means[channel])) / square;
      // A channel that hardly moves is one that the function holds at an end.
      return Math.abs(shift) * units[channel] <= reach * FARTHEST ? shift : 0;
    })
  );
}

/** What one unit of each channel's accumulator is worth: the input's scale times the weights'. */
function unitsOf(graph: Graph, node: Node, constants: ReadonlyMap<string, Tensor>, channels: number) {
  const x = typeOf(graph, node.inputs[0])?.quant?.scale;
  const w = constants.get(node.inputs[1])?.quant?.scale;
  if (x?.length !== 1 || !w || (w.length !== 1 && w.length !== channels)) return undefined;
  return Array.from({ length: channels }, (_, channel) => Math.fround(x[0] * w[w.length === 1 ? 0 : channel]));
}

/** A post stage that stores int16, and what a unit of its results is worth. */
interface Stage {
  readonly inputs: readonly string[];
  readonly constants: readonly (readonly [string, Tensor])[];
  readonly attrs: Node["attrs"];
  readonly scale: number;
}

const int32 = (list: readonly number[]): Tensor => makeTensor("int32", [list.length], Int32Array.from(list));

/** The accumulator itself, over a little more than `reach`. */
function accumulatorStage(node: Node, units: readonly number[], reach: number): Stage {
  const scale = (reach * 1.5) / 32767;
  const pairs = units.map((unit) => multiplierOf(unit / scale, node.attrs.has("wide") ? 15 : 31));
  return {
    inputs: ["sweep/multiplier", "sweep/shift"],
    constants: constantsOf(["sweep/multiplier", "sweep/shift"], pairs),
    attrs: stageAttrs(node, -32768, 32767),
    scale,
  };
}

/** Steps of the finer results in one of the stored int8 results: 255 of these still fit into 16 bits. */
const FINER = 128;

/** The node's own post stage in finer steps about 0; undefined where its factors leave no room for that. */
function fineStage(graph: Graph, node: Node, constants: ReadonlyMap<string, Tensor>): Stage | undefined {
  const type = typeOf(graph, node.outputs[0]);
  const own = node.inputs.slice(3);
  const [multiplier, shift] = own.slice(-2).map((name) => constants.get(name));
  if (type?.quant?.scale.length !== 1 || !multiplier || !shift) return undefined;
  const finer = type.dtype === "int8" ? FINER : 1;
  const hasTable = own.length > 2;
  const isFloat = multiplier.dtype === "float32" && !hasTable;
  const bits = node.attrs.has("wide") && !hasTable ? 15 : 31;
  const shifts = valuesOf(shift) as Int32Array;
  const factors = Array.from(valuesOf(multiplier) as ArrayLike<number>, (factor, channel) =>
    isFloat ? factor : factor * 2 ** -shifts[channel],
  );
  const names = ["sweep/multiplier", "sweep/shift"];
  try {
    const pairs = factors.map((factor) => multiplierOf(factor * finer, bits));
    const zero = intAttr(node, "y_zero", 0);
    const bound = (name: string, most: number) => (intAttr(node, name, most) - zero) * finer;
    const [low, high] = type.dtype === "int8" ? [-128, 127] : [-32768, 32767];
    return {
      inputs: [...own.slice(0, -2), ...names],
      constants: constantsOf(names, pairs),
      attrs: stageAttrs(node, bound("y_min", low), bound("y_max", high)),
      scale: type.quant.scale[0] / finer,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function constantsOf(names: readonly string[], pairs: readonly Multiplier[]): (readonly [string, Tensor])[] {
  return [
    [names[0], int32(pairs.map(({ multiplier }) => multiplier))],
    [names[1], int32(pairs.map(({ shift }) => shift))],
  ];
}

function stageAttrs(node: Node, low: number, high: number): Node["attrs"] {
  const kept = [...node.attrs].filter(([name]) => !name.startsWith("y_") && name !== "round");
  const stage = { y_dtype: { s: "int16" }, y_zero: { i: 0 }, y_min: { i: low }, y_max: { i: high } };
  return new Map([...kept, ...attrs(stage)]);
}

/** Of each channel, in reals: the mean; of the differences that other biases make the largest and the mean square. */
interface Measured {
  readonly means: Float64Array;
  readonly most: Float64Array;
  readonly squares: Float64Array;
}

interface Sweep {
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly values: Held;
  readonly execute: Execute;
}

/** Runs the node with another post stage, and with each of one or two lists of biases: as twins, so that there is one product. */
function measured(
  graph: Graph,
  node: Node,
  stage: Stage,
  biases: readonly Int32Array[],
  { constants, values, execute }: Sweep,
): Measured | undefined {
  const shape = typeOf(graph, node.outputs[0])?.shape;
  if (!isStatic(shape)) return undefined;
  const [types, own] = [new Map(graph.types), new Map([...constants, ...stage.constants])];
  const nodes = biases.map((codes, index): Node => {
    const [bias, output] = [`sweep/bias/${index}`, `sweep/results/${index}`];
    own.set(bias, int32([...codes]));
    types.set(output, { dtype: "int16", shape });
    const inputs = [...node.inputs.slice(0, 2), bias, ...stage.inputs];
    return { ...node, inputs, outputs: [output], attrs: stage.attrs };
  });
  const outputs = nodes.flatMap((each) => each.outputs);
  const fed = node.inputs.slice(0, 2).filter((name) => !own.has(name));
  const program = execute(only({ ...graph, types }, nodes, [...new Set(fed)], own));
  const sums = codeSums(biases[0].length, node.op === "MatMul" ? 1 : elementCount(shape.slice(2)));
  for (const held of values) {
    const results = program.run(new Map(fed.map((name) => [name, held.get(name) as Tensor])));
    const [codes, moved = codes] = outputs.map((name) => valuesOf(results.get(name) as Tensor) as Int16Array);
    sums.add(codes, moved);
  }
  const { scale } = stage;
  const mean = (total: number) => total / sums.count();
  return {
    means: sums.codes.map((sum) => mean(sum) * scale),
    most: sums.most.map((difference) => difference * scale),
    squares: sums.squares.map((square) => mean(square) * scale * scale),
  };
}
