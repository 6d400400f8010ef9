/** What storing each value in 8 bits, alone in an otherwise float model, does to the model's outputs. */
import { dequantize } from "../ir/codes.ts";
import { attrs, freshName, type Graph, isStatic, type Node, type Tensor, type Type, typeOf } from "../ir/graph.ts";
import { makeTensor } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import type { Samples } from "../pass.ts";
import { createSession } from "../run/ort.ts";
import { chosen } from "./calibrate.ts";
import { openRun } from "./rounding/replay.ts";

/** A value that is stored in 8 bits, and what its reader's bias makes up for: the mean error of each channel. */
export interface Stored {
  readonly value: string;
  readonly scale: number;
  readonly zero: number;
  readonly offset?: { readonly axis: number; readonly means: Float64Array };
}

export interface SensitivityOptions {
  /** At most so many samples. */
  readonly samples: number;
  readonly signal?: AbortSignal;
}

/**
 * For each choice, a list of values that are stored together, the energy of its error at the outputs relative to theirs, summed
 * over the outputs. Small errors of different values add up, so these numbers tell whose share is how large. Samples are run one
 * after the other, sequences from their start.
 */
export function outputErrors(
  graph: Graph,
  choices: readonly (readonly Stored[])[],
  samples: Samples,
  options: SensitivityOptions,
): Promise<Float64Array> {
  const variants = choices.map((choice) => () => withCodes(graph, choice));
  return errorsOf(graph, variants, samples, options);
}

/** As `outputErrors`, of graphs that have the outputs of `graph` under the same names; each is made when its turn has come. */
export async function errorsOf(
  graph: Graph,
  variants: readonly (() => Graph)[],
  samples: Samples,
  options: SensitivityOptions,
): Promise<Float64Array> {
  const outputs = judgedValues(graph);
  const exact = await outputsOf(graph, outputs, samples, options);
  const energies = outputs.map((_, at) => exact.reduce((sum, values) => sum + energyOf(values[at]), 0));
  const errors = new Float64Array(variants.length);
  for (const [index, variant] of variants.entries()) {
    options.signal?.throwIfAborted();
    const found = await outputsOf(variant(), outputs, samples, options);
    for (const [at, energy] of energies.entries()) {
      if (energy === 0) continue;
      errors[index] += found.reduce((sum, values, sample) => sum + energyOf(values[at], exact[sample][at]), 0) / energy;
    }
  }
  return errors;
}

/** The outputs, but in place of probabilities what they are made of: there an error shows that certainty hides. */
function judgedValues(graph: Graph): string[] {
  const states = new Set(graph.states.map(({ output }) => output));
  const seen = graph.outputs.filter((name) => !states.has(name));
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name): [string, Node] => [name, node])));
  const judged = (seen.length > 0 ? seen : graph.outputs).map((name) => {
    const maker = makers.get(name);
    return maker && PROBABILITIES.has(maker.op) && makers.has(maker.inputs[0]) ? maker.inputs[0] : name;
  });
  return [...new Set(judged)].filter((name) => makers.has(name) && typeOf(graph, name)?.dtype === "float32");
}

const PROBABILITIES = new Set(["Softmax", "LogSoftmax", "Sigmoid"]);

function energyOf(values: Float32Array, exact?: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] - (exact ? exact[index] : 0)) ** 2;
  return sum;
}

async function outputsOf(
  graph: Graph,
  outputs: readonly string[],
  samples: Samples,
  { samples: limit, signal }: SensitivityOptions,
): Promise<Float32Array[][]> {
  const states = graph.states.map(({ output }) => output);
  const constants = new Map(
    [...graph.constants].map(([name, tensor]) => [name, tensor.quant ? dequantize(tensor) : tensor]),
  );
  const all = [...new Set([...outputs, ...states])];
  const model = { ...graph, constants, outputs: all, states: [], metadata: new Map(), extra: undefined };
  const session = await createSession(encodeModel(model), { threads: 1 });
  const found: Float32Array[][] = [];
  try {
    let run = openRun(session, graph.states);
    let sequence: string | undefined;
    for (const index of chosen(samples, limit)) {
      signal?.throwIfAborted();
      const of = samples.sequence?.(index);
      if (of !== sequence) run = openRun(session, graph.states);
      sequence = of;
      const read = await run(await samples.feeds(index));
      found.push(outputs.map((name) => read(name) ?? new Float32Array(0)));
    }
  } finally {
    await session.release();
  }
  return found;
}

/** `graph` with values as their codes tell them. */
function withCodes(graph: Graph, choice: readonly Stored[]): Graph {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const stored = new Map(choice.map((each) => [each.value, each]));
  const renamed = new Map<string, string>();
  const fresh = (hint: string): string => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const constant = (hint: string, tensor: Tensor): string => {
    const name = fresh(hint);
    constants.set(name, tensor);
    return name;
  };
  const coded = ({ value, scale, zero, offset }: Stored): Node[] => {
    const type = typeOf(graph, value) as Type;
    const { shape } = type;
    const grid = [
      constant("sensitivity/scale", makeTensor("float32", [], Float32Array.of(scale))),
      constant("sensitivity/zero", makeTensor("int8", [], Int8Array.of(zero))),
    ];
    const [codes, told] = [fresh(`${value}/codes`), fresh(`${value}/told`)];
    types.set(codes, shape ? { dtype: "int8", shape } : { dtype: "int8" });
    types.set(told, type);
    renamed.set(value, told);
    const made = [node("QuantizeLinear", [value, ...grid], codes), node("DequantizeLinear", [codes, ...grid], told)];
    if (!offset || !isStatic(shape)) return made;
    const alone = shape.map((size, axis) => (axis === offset.axis ? size : 1));
    const means = constant("sensitivity/offset", makeTensor("float32", alone, Float32Array.from(offset.means)));
    const moved = fresh(`${value}/moved`);
    types.set(moved, type);
    renamed.set(value, moved);
    return [...made, node("Add", [told, means], moved)];
  };
  const nodes = graph.inputs.flatMap((name) => (stored.has(name) ? coded(stored.get(name) as Stored) : []));
  for (const each of graph.nodes) {
    nodes.push({ ...each, inputs: each.inputs.map((name) => renamed.get(name) ?? name) });
    for (const name of each.outputs) {
      const found = stored.get(name);
      if (found) nodes.push(...coded(found));
    }
  }
  return { ...graph, nodes, constants, types };
}

const node = (op: string, inputs: readonly string[], output: string): Node => ({
  ...{ op, domain: "", inputs, outputs: [output] },
  attrs: attrs({}),
  origin: [],
});
