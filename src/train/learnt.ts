/** Back from a graph that rounds while it trains to the quantized one. */
import { bug } from "../error.ts";
import { removeDead } from "../ir/edit.ts";
import { freshName, type Graph, type Node, type Tensor } from "../ir/graph.ts";
import { pack } from "../ir/numbers.ts";
import { float32, valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { interpret } from "../run/interpret.ts";
import { EPSILON, type FakeQuantized, type Normalization } from "./fake.ts";

/**
 * The quantized graph with what the fake one has learnt: its very scales and codes, biases and all else that is trained by name, and
 * the normalizations folded in (a factor on a channel's scale leaves its codes as they are).
 */
export function withLearnt(quantized: Graph, fake: FakeQuantized, trained: ReadonlyMap<string, Tensor>): Graph {
  const learnt = { ...fake.graph, constants: new Map([...fake.graph.constants, ...trained]) };
  const wanted = new Set([
    ...fake.weights.flatMap(({ codes, scale }) => [codes, scale]),
    ...[...fake.scales.values(), ...fake.biases.values()],
  ]);
  const values = constantValues(learnt, wanted);
  const numbers = (name: string): Float32Array => valuesOf(values.get(name) ?? bug(`no value ${name}`)) as Float32Array;
  const types = new Map(quantized.types);
  for (const [name, scale] of fake.scales) {
    const type = types.get(name);
    if (type?.quant) types.set(name, { ...type, quant: { ...type.quant, scale: numbers(scale).slice() } });
  }
  const constants = new Map(quantized.constants);
  for (const [name, tensor] of trained) if (constants.has(name)) constants.set(name, tensor);
  for (const [name, rounded] of fake.biases) constants.set(name, values.get(rounded) ?? bug(`no bias ${rounded}`));
  for (const { stored, codes, scale } of fake.weights) {
    const tensor = constants.get(stored) ?? bug(`no weight ${stored}`);
    const quant = { ...(tensor.quant ?? bug(`${stored} is not quantized`)), scale: numbers(scale).slice() };
    const learntCodes = valuesOf(values.get(codes) ?? bug(`no codes ${codes}`)) as Int8Array;
    const data = tensor.dtype === "int4" ? pack("int4", 4, learntCodes) : learntCodes;
    constants.set(stored, { ...tensor, data, quant });
  }
  const names = namesOf(quantized);
  const nodes = [...quantized.nodes];
  for (const normalization of fake.normalizations) fold(normalization, nodes, constants, names, learnt);
  return { ...quantized, nodes, constants, types };
}

/** `γ·(y − mean)/√(variance + ε) + β` of a channel is a factor and a bias. */
function fold(
  { index, ...names }: Normalization,
  nodes: Node[],
  constants: Map<string, Tensor>,
  taken: Set<string>,
  learnt: Graph,
): void {
  const of = (name: string): Float32Array => valuesOf(learnt.constants.get(name) as Tensor) as Float32Array;
  const [scale, shift, mean, variance] = [of(names.scale), of(names.shift), of(names.mean), of(names.variance)];
  const factors = Float64Array.from(scale, (each, channel) => each / Math.sqrt(variance[channel] + EPSILON));
  const node = nodes[index];
  const weights = constants.get(node.inputs[1]) as Tensor;
  const quant = weights.quant ?? bug("a normalization behind weights that are not quantized");
  const own = Float32Array.from(factors, (factor, channel) => (quant.scale[channel] ?? quant.scale[0]) * factor);
  constants.set(node.inputs[1], { ...weights, quant: { ...quant, axis: quant.axis ?? 0, scale: own } });
  const bias = freshName(`${node.outputs[0]}/bias`, taken);
  taken.add(bias);
  constants.set(
    bias,
    float32(
      [factors.length],
      factors.map((factor, channel) => shift[channel] - mean[channel] * factor),
    ),
  );
  nodes[index] = { ...node, inputs: [node.inputs[0], node.inputs[1], bias] };
}

/** Values that no input reaches. */
function constantValues(graph: Graph, wanted: ReadonlySet<string>): ReadonlyMap<string, Tensor> {
  const computed = [...wanted].filter((name) => !graph.constants.has(name));
  const found = interpret(removeDead({ ...graph, inputs: [], outputs: computed }), new Map()) as Map<string, Tensor>;
  return new Map([
    ...[...wanted].flatMap((name) => {
      const tensor = graph.constants.get(name);
      return tensor ? [[name, tensor] as const] : [];
    }),
    ...found,
  ]);
}
