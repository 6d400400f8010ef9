import { attrs, type Graph, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { makeTensor, valuesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { multiplierOf } from "../ops/lowering/multiplier.ts";
import { unpackedConstant, unpacksConstants } from "../ops/shared/npu/unpacked.ts";
import type { Execute } from "../pass.ts";

/** What the float model makes at a linear operator, before any activation: what the integers are compared with. */
export interface FloatMean {
  /** Mean of each channel over the sweep's samples. */
  readonly means: readonly number[];
  /** Largest magnitude that calibration saw. */
  readonly reach: number;
}

/** Operators with a bias of one number a channel at input 2. */
const LINEAR = new Set(["Conv", "ConvTranspose", "MatMul"]);

/**
 * Empirical bias correction on the quantized prefix (Nagel et al. 2019, §4.2; the order of NNCF's accurate variant): the
 * samples go through the integer graph together, operator by operator. At each linear one the mean of every channel's
 * accumulator is compared with the float model's, and the bias takes back the difference before anything behind it is
 * computed. So an offset that earlier roundings left, and a non-linearity turned noise into, does not travel on.
 * `means` are by the names of the linear operators' outputs.
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
  const program = execute(only(graph, node, inputs, constants));
  for (const held of values) {
    const feeds = new Map(inputs.map((name) => [name, held.get(name) as Tensor]));
    for (const [name, tensor] of program.run(feeds)) held.set(name, tensor);
  }
}

/** A graph of one node. */
function only(graph: Graph, node: Node, inputs: readonly string[], constants: ReadonlyMap<string, Tensor>): Graph {
  const outputs = node.outputs.filter((name) => name !== "");
  const read = new Set(readsOf(node));
  return {
    ...graph,
    inputs,
    outputs,
    nodes: [node],
    states: [],
    constants: new Map([...constants].filter(([name]) => read.has(name))),
  };
}

function correct(
  graph: Graph,
  node: Node,
  { means, reach }: FloatMean,
  constants: Map<string, Tensor>,
  values: Held,
  execute: Execute,
): Node {
  const bias = constants.get(node.inputs[2]);
  const units = unitsOf(graph, node, constants, means.length);
  if (!bias || !units || bias.shape[0] !== means.length || !(reach > 0)) return node;
  const measured = accumulatorMeans(graph, node, units, reach, constants, values, execute);
  if (!measured) return node;
  const codes = Int32Array.from(valuesOf(bias) as Int32Array, (code, channel) => {
    const moved = code + Math.round((means[channel] - measured[channel]) / units[channel]);
    return Number.isFinite(moved) && Math.abs(moved) < 2 ** 31 ? moved : code;
  });
  const name = `${node.outputs[0]}/swept-bias`;
  constants.set(name, makeTensor("int32", [codes.length], codes));
  return { ...node, inputs: node.inputs.map((input, index) => (index === 2 ? name : input)) };
}

/** What one unit of each channel's accumulator is worth: the input's scale times the weights'. */
function unitsOf(graph: Graph, node: Node, constants: ReadonlyMap<string, Tensor>, channels: number) {
  const x = typeOf(graph, node.inputs[0])?.quant?.scale;
  const w = constants.get(node.inputs[1])?.quant?.scale;
  if (x?.length !== 1 || !w || (w.length !== 1 && w.length !== channels)) return undefined;
  return Array.from({ length: channels }, (_, channel) => Math.fround(x[0] * w[w.length === 1 ? 0 : channel]));
}

/** Means of the accumulator in reals: the node without its post stage, stored as int16 over a little more than `reach`. */
function accumulatorMeans(
  graph: Graph,
  node: Node,
  units: readonly number[],
  reach: number,
  constants: ReadonlyMap<string, Tensor>,
  values: Held,
  execute: Execute,
): Float64Array | undefined {
  const scale = (reach * 1.5) / 32767;
  const wide = node.attrs.has("wide");
  const pairs = units.map((unit) => multiplierOf(unit / scale, wide ? 15 : 31));
  const own = new Map(constants);
  const count = units.length;
  own.set(
    "sweep/multiplier",
    makeTensor(
      "int32",
      [count],
      Int32Array.from(pairs, (pair) => pair.multiplier),
    ),
  );
  own.set(
    "sweep/shift",
    makeTensor(
      "int32",
      [count],
      Int32Array.from(pairs, (pair) => pair.shift),
    ),
  );
  const kept = new Map([...node.attrs].filter(([name]) => !name.startsWith("y_") && name !== "round"));
  const stage = { y_dtype: { s: "int16" }, y_zero: { i: 0 }, y_min: { i: -32768 }, y_max: { i: 32767 } };
  const output = "sweep/accumulator";
  const bare: Node = {
    ...node,
    inputs: [...node.inputs.slice(0, 3), "sweep/multiplier", "sweep/shift"],
    outputs: [output],
    attrs: new Map([...kept, ...attrs(stage)]),
  };
  const shape = typeOf(graph, node.outputs[0])?.shape;
  if (!shape) return undefined;
  const types = new Map(graph.types).set(output, { dtype: "int16", shape });
  const inputs = [...new Set(bare.inputs.filter((name) => name !== "" && !own.has(name)))];
  const program = execute(only({ ...graph, types }, bare, inputs, own));
  const sums = new Float64Array(count);
  let elements = 0;
  const inner = node.op === "MatMul" ? 1 : shape.slice(2).reduce<number>((product, size) => product * Number(size), 1);
  for (const held of values) {
    const feeds = new Map(inputs.map((name) => [name, held.get(name) as Tensor]));
    const codes = valuesOf(program.run(feeds).get(output) as Tensor) as Int16Array;
    for (let index = 0; index < codes.length; index++) sums[Math.floor(index / inner) % count] += codes[index];
    elements += codes.length / count;
  }
  return sums.map((sum) => (sum / elements) * scale);
}
