/** Scales of a network's post stages as one input asks for, layer after layer: agreement means little on codes that are all alike. */
import { loadInteger } from "../../src/emulate/integer.ts";
import { type Graph, isStatic, makeGraph, type Node, type Tensor, type Type, typeOf } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor, numbersOf } from "../../src/ir/tensor.ts";

/** The root mean square that stages are brought to, and how far from it they may stay. */
const WANTED = 47;
const TOLERANCE = 1.3;
const ROUNDS = 6;

/** By operator: the input that is its stage's multiplier; the shift follows. */
const STAGES: ReadonlyMap<string, number> = new Map([
  ["Conv", 3],
  ["MatMul", 3],
  ["LayerNorm", 3],
  ["Add", 2],
  ["Mul", 2],
  ["AveragePool", 1],
  ["ReduceSum", 1],
]);

export interface Calibrated {
  readonly graph: Graph;
  /** By value with a stage of its own: how many of the 256 codes it uses, each counted as often as it is there: 2^entropy / 256. */
  readonly used: ReadonlyMap<string, number>;
}

/** Codes for every input: even ones, and indices of 0. */
export function seededInputs(graph: Graph, seed: number | string): Map<string, Tensor> {
  const random = seededRandom(seed);
  return new Map(
    graph.inputs.map((name) => {
      const { shape, dtype } = staticType(graph, name);
      const count = shape.reduce((product, size) => product * size, 1);
      const code = () => (dtype === "int8" ? Math.floor(random() * 255) - 127 : 0);
      const data = dtype === "int8" ? Int8Array.from({ length: count }, code) : new Int32Array(count);
      return [name, makeTensor(dtype, shape, data)];
    }),
  );
}

function staticType(graph: Graph, name: string): { readonly dtype: Type["dtype"]; readonly shape: readonly number[] } {
  const type = typeOf(graph, name);
  if (type === undefined || !isStatic(type.shape)) throw new Error(`bug: "${name}" has no shape`);
  return { dtype: type.dtype, shape: type.shape };
}

/** Multiplies what a stage's multiplier and shift say. */
function rescaled(multiplier: Tensor, shift: Tensor, by: number): [Tensor, Tensor] {
  const [m, s] = [integersOf(multiplier), integersOf(shift)];
  const values: number[] = [];
  const shifts: number[] = [];
  m.forEach((value, at) => {
    const factor = value * 2 ** -s[at % s.length] * by;
    const exponent = Math.min(62, 31 - Math.ceil(Math.log2(factor)));
    shifts.push(exponent);
    values.push(Math.min(2 ** 31 - 1, Math.max(1, Math.round(factor * 2 ** exponent))));
  });
  const constant = (list: readonly number[]) => makeTensor("int32", multiplier.shape, Int32Array.from(list));
  return [constant(values), constant(shifts)];
}

function integersOf(tensor: Tensor): number[] {
  return Array.from(numbersOf(tensor), Number);
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** 2^entropy of the codes, of 256. */
export function shareUsed(codes: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / codes.length) * Math.log2(count / codes.length);
  return 2 ** entropy / 256;
}

/** The node as a graph of its own; what is computed elsewhere is an input. */
function alone(node: Node, graph: Graph, constants: ReadonlyMap<string, Tensor>): Graph {
  const own = new Map(node.inputs.flatMap((name) => [[name, constants.get(name)] as const]));
  const names = [...node.inputs, ...node.outputs].filter((name) => name !== "" && graph.types.has(name));
  return makeGraph({
    inputs: [...new Set(node.inputs.filter((name) => name !== "" && !own.get(name)))],
    outputs: node.outputs,
    nodes: [node],
    constants: new Map([...own].flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : []))),
    types: new Map(names.map((name) => [name, graph.types.get(name) as Type])),
  });
}

/** The network with the scale of every stage such that its codes are used on one seeded input. */
export function calibrated(graph: Graph, seed: number | string = graph.name): Calibrated {
  const constants = new Map(graph.constants);
  const values = seededInputs(graph, seed);
  for (const { input, init } of graph.states) values.set(input, init);
  const last = new Map<string, number>();
  for (const [at, node] of graph.nodes.entries()) for (const name of node.inputs) last.set(name, at);
  const used = new Map<string, number>();
  for (const [at, node] of graph.nodes.entries()) {
    const feeds = new Map(
      node.inputs.flatMap((name) => (values.has(name) ? [[name, values.get(name) as Tensor]] : [])),
    );
    const run = () =>
      loadInteger(alone(node, graph, constants))
        .run(feeds)
        .get(node.outputs[0]) as Tensor;
    const stage = STAGES.get(node.op);
    let made = run();
    for (let round = 0; stage !== undefined && round < ROUNDS; round++) {
      const codes = integersOf(made);
      used.set(node.outputs[0], shareUsed(codes));
      // Codes that are cut off at the ends, or that vanish, tell less than how far they are off.
      const off = WANTED / Math.max(rootMeanSquare(codes), WANTED / 64);
      if (off < TOLERANCE && off > 1 / TOLERANCE) break;
      const [multiplier, shift] = [node.inputs[stage], node.inputs[stage + 1]];
      const by = off < 0.5 ? off / 2 : off;
      const scaled = rescaled(constants.get(multiplier) as Tensor, constants.get(shift) as Tensor, by);
      constants.set(multiplier, scaled[0]);
      constants.set(shift, scaled[1]);
      made = run();
    }
    values.set(node.outputs[0], made);
    for (const name of node.inputs) if (last.get(name) === at) values.delete(name);
  }
  return { graph: { ...graph, constants }, used };
}
