/** What storing each value in 8 bits, alone in an otherwise float model, does to the model's outputs. */
import { dequantize } from "../ir/codes.ts";
import { removeDead } from "../ir/edit.ts";
import {
  attrs,
  byteSize,
  freshName,
  type Graph,
  isStatic,
  type Node,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { makeTensor } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import type { Samples } from "../pass.ts";
import { createSession } from "../run/ort.ts";
import { chosen } from "./calibrate.ts";
import { joinVariants } from "./joined.ts";
import { float, openWriter } from "./probe/writer.ts";
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
  const errors = new Float64Array(variants.length);
  for (let first = 0, next = 0; first < variants.length; first = next) {
    const made: Graph[] = [];
    let bytes = 0;
    for (; next < variants.length && made.length < TOGETHER && bytes < TOGETHER_BYTES; next++) {
      made.push(variants[next]());
      bytes += ownBytes(graph, made[made.length - 1]);
    }
    const energies = await energiesOf(judgedModel(graph, made, outputs), samples, options);
    for (const [at, energy] of energies.slice(0, outputs.length).entries()) {
      if (energy === 0) continue;
      made.forEach((_, index) => {
        errors[first + index] += energies[outputs.length * (index + 1) + at] / energy;
      });
    }
  }
  return errors;
}

/** Variants that are run together: most of the work before the place where they differ is saved, and one session is opened for all. */
const TOGETHER = 16;
/** As soon as they bring so many bytes of weights of their own, no further ones join. */
const TOGETHER_BYTES = 2 ** 26;

function ownBytes(graph: Graph, variant: Graph): number {
  let bytes = 0;
  for (const [name, { dtype, shape }] of variant.constants) {
    if (graph.constants.get(name) !== variant.constants.get(name)) bytes += byteSize(dtype, shape);
  }
  return bytes;
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

interface Judged {
  readonly model: Uint8Array;
  readonly states: Graph["states"];
  /** The output that holds the energies: of each judged value, then of its error in each variant. */
  readonly summary: string | undefined;
}

/** All variants beside the graph that they were made from, with the energies of their errors, as one model. */
function judgedModel(graph: Graph, variants: readonly Graph[], outputs: readonly string[]): Judged {
  const { graph: joined, nameOf } = joinVariants(graph, variants);
  const writer = openWriter(joined);
  const keepEnergy = (name: string) => {
    const sum = writer.add("ReduceSumSquare", [name], float([]), { keepdims: { i: 0 } });
    writer.keep(writer.add("Reshape", [sum, writer.constant("int64", [1])], float([1])), 1);
  };
  for (const name of outputs) keepEnergy(name);
  for (const of of nameOf) {
    for (const name of outputs) keepEnergy(writer.add("Sub", [of(name), name], typeOf(graph, name) as Type));
  }
  const summary = writer.close();
  const judged = writer.graph();
  const constants = new Map(
    [...judged.constants].map(([name, tensor]) => [name, tensor.quant ? dequantize(tensor) : tensor]),
  );
  const all = [...new Set([...(summary ? [summary] : []), ...joined.states.map(({ output }) => output)])];
  const model = removeDead({ ...judged, constants, outputs: all });
  return {
    model: encodeModel({ ...model, states: [], metadata: new Map(), extra: undefined }),
    ...{ states: joined.states, summary },
  };
}

/** The energies over the samples. */
async function energiesOf(
  { model, states, summary }: Judged,
  samples: Samples,
  { samples: limit, signal }: SensitivityOptions,
): Promise<Float64Array> {
  if (summary === undefined) return new Float64Array(0);
  const session = await createSession(model, { threads: 1, memoryPattern: false, prepack: false });
  let sums = new Float64Array(0);
  try {
    let run = openRun(session, states);
    let sequence: string | undefined;
    for (const index of chosen(samples, limit)) {
      signal?.throwIfAborted();
      const of = samples.sequence?.(index);
      if (of !== sequence) run = openRun(session, states);
      sequence = of;
      const read = await run(await samples.feeds(index));
      const found = read(summary) as Float32Array;
      if (sums.length === 0) sums = new Float64Array(found.length);
      for (let at = 0; at < found.length; at++) sums[at] += found[at];
    }
  } finally {
    await session.release();
  }
  return sums;
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
