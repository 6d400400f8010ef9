/** The error that a layer's quantization makes in its own result, all before it being exact. */
import { attrs, type Graph, type Node, type Tensor, type Type } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { inferTypes } from "../ops/infer.ts";
import { FORMATS } from "../quant/format.ts";
import { createSession } from "../run/ort.ts";
import type { FormatName, SearchLayer } from "../search/layers.ts";
import type { Quantized } from "../search/sensitivity.ts";
import type { Reference } from "../search/trial.ts";

/**
 * Decibels of signal over error for each layer in its format. Beside each layer stands a copy that reads the rounded value with
 * the rounded weights, and nothing reads the copy; so one run of the model tells of all layers.
 */
export async function aloneErrors(
  layers: readonly SearchLayer[],
  plan: readonly FormatName[],
  quantized: Quantized,
  references: readonly Reference[],
): Promise<(number | undefined)[]> {
  const { graph } = quantized;
  const made = layers.map(({ nodes }, at) => copyOf(graph.nodes[nodes[nodes.length >> 1]], at));
  const whole = withCopies(graph, layers, plan, quantized);
  const session = await createSession(encodeModel(whole));
  const sums = layers.map(() => ({ signal: 0, error: 0 }));
  let held = new Map<string, Tensor>();
  try {
    for (const { feeds, first } of references) {
      if (first) held = new Map(graph.states.map(({ input, init }) => [input, init]));
      const outputs = await session.run(new Map([...held, ...feeds]));
      for (const { input, output } of graph.states) held.set(input, outputs.get(output) as Tensor);
      for (const [at, { signal, error }] of made.entries()) {
        sums[at].signal += numberIn(outputs.get(signal));
        sums[at].error += numberIn(outputs.get(error));
      }
    }
  } finally {
    await session.release();
  }
  return sums.map(({ signal, error }) =>
    signal > 0 ? 10 * Math.log10(signal / Math.max(error, signal * 1e-15)) : undefined,
  );
}

const numberIn = (tensor: Tensor | undefined): number => (tensor ? Number(valuesOf(tensor)[0]) : 0);

/** Names of what stands beside a layer's node. */
function copyOf(node: Node, at: number) {
  const name = (what: string) => `alone/${at}/${what}`;
  return {
    node,
    input: name("x"),
    output: name("y"),
    apart: name("apart"),
    signal: name("signal"),
    error: name("error"),
  };
}

function withCopies(
  graph: Graph,
  layers: readonly SearchLayer[],
  plan: readonly FormatName[],
  { weights, values }: Quantized,
): Graph {
  const nodes: Node[] = [...graph.nodes];
  const constants = new Map(graph.constants);
  const types = new Map<string, Type>(graph.types);
  const outputs = [...graph.outputs];
  const add = (op: string, inputs: readonly string[], output: string, given: Node["attrs"] = attrs({})) =>
    nodes.push({ op, domain: "", inputs, outputs: [output], attrs: given, origin: [output] });
  for (const [at, { nodes: places }] of layers.entries()) {
    const place = places[places.length >> 1];
    const { node, input, output, apart, signal, error } = copyOf(graph.nodes[place], at);
    const format = FORMATS[plan[at]];
    const [read] = node.inputs;
    const stored = values[format.activations]?.types.get(read);
    const own = graph.types.get(read);
    add("Identity", [read], input);
    if (own && stored?.quant) types.set(input, { ...own, dtype: stored.dtype, quant: stored.quant });
    const rounded = weights[format.weights];
    const operands = rounded.nodes[place].inputs.slice(1).map((name, index) => {
      const tensor = rounded.constants.get(name);
      if (tensor) constants.set(`alone/${at}/${index}`, tensor);
      return tensor ? `alone/${at}/${index}` : name;
    });
    add(node.op, [input, ...operands], output, node.attrs);
    add("Sub", [node.outputs[0], output], apart);
    add("ReduceSumSquare", [node.outputs[0]], signal, attrs({ keepdims: { i: 0 } }));
    add("ReduceSumSquare", [apart], error, attrs({ keepdims: { i: 0 } }));
    outputs.push(signal, error);
  }
  return inferTypes({ ...graph, nodes, constants, types, outputs });
}
