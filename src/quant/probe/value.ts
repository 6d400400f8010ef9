import { elementCount, type Graph, isStatic } from "../../ir/graph.ts";
import type { ValueProbe } from "../probe.ts";
import { asFloat32, float, int64, type Writer } from "./writer.ts";

/**
 * Numbers of a value that all samples together add to its histogram, about; those of larger activations are taken at equal
 * distances. So calibration does not cost more for larger activations, or for each of more samples. Extremes are those of all
 * numbers.
 */
const ENOUGH = 2 ** 20;
/** A sample's share of them at least and at most. */
const [FEWEST, MOST] = [512, 2 ** 14];

/** A sample's share of the numbers where there are so many samples. */
export function shareOfSample(samples: number): number {
  return Math.min(MOST, Math.max(FEWEST, Math.ceil(ENOUGH / Math.max(1, samples))));
}

/** Of finite numbers these make numbers, or infinite ones: no NaN. */
const NEVER_NAN = new Set([
  ...["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh"],
  ...["HardSigmoid", "HardSwish", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Reshape", "Transpose"],
  ...["Slice", "Split", "Squeeze", "Unsqueeze", "Flatten", "Identity", "ReduceMean", "Softmax", "Erf", "Max", "Min"],
]);

/**
 * The observed values that must be looked through for NaN: inputs, and all but what such operators make of values that were
 * looked through. Infinite numbers show in the extremes.
 */
export function maybeNaN(graph: Graph, observed: ReadonlySet<string>): ReadonlySet<string> {
  const states = new Set(graph.states.map(({ input }) => input));
  const sure = new Set(graph.inputs.filter((name) => observed.has(name) || states.has(name)));
  const doubtful = new Set(sure);
  for (const node of graph.nodes) {
    const inherits = node.inputs.every((name) => name === "" || graph.constants.has(name) || sure.has(name));
    const never = node.domain === "" && NEVER_NAN.has(node.op) && inherits;
    for (const name of node.outputs) {
      if (!never && observed.has(name)) doubtful.add(name);
      if (never || observed.has(name)) sure.add(name);
    }
  }
  return doubtful;
}

type Sampled = Extract<ValueProbe, { kind: "sampled" }>;

/** Looks at about `most` numbers of a value; with 0 at its extremes alone. `doubtful`: there may be NaN among them. */
export function probeValue(writer: Writer, value: string, most: number, doubtful: boolean): ValueProbe {
  const type = writer.type(value);
  const shape = type?.shape;
  const size = isStatic(shape) ? elementCount(shape) : 0;
  if (!type || !isStatic(shape) || size <= Math.max(most, FEWEST)) return { kind: "whole", value };
  const { add, constant, keep } = writer;
  const real = asFloat32(writer, value, type.dtype, shape);
  const flat = add("Reshape", [real, constant("int64", [-1])], float([size]));
  const of = (op: string) => add(op, [flat, constant("int64", [0])], float([1]), { keepdims: { i: 1 } });
  const at = keep(of("ReduceMin"), 1);
  keep(of("ReduceMax"), 1);
  const place = (): Pick<Sampled, "sum"> => (doubtful ? { sum: keep(of("ReduceSum"), 1) } : {});
  if (most === 0) return { kind: "sampled", at, count: 0, step: 1, ...place() };
  const step = coprime(Math.ceil(size / most), size);
  const count = Math.floor(size / step);
  const start = add("Mod", [writer.shiftInput(), constant("int64", [step])], int64([1]));
  const end = add("Add", [start, constant("int64", [(count - 1) * step + 1])], int64([1]));
  const axes = constant("int64", [0]);
  keep(add("Slice", [flat, start, end, axes, constant("int64", [step])], float([count])), count);
  return { kind: "sampled", at, count, step, ...place() };
}

/** The smallest number from `least` on without a common divisor with `size`: steps that visit every row, column and channel. */
function coprime(least: number, size: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let step = least;
  while (divisor(size, step) !== 1) step++;
  return step;
}
