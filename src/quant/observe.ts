import { CompileError } from "../error.ts";
import { dequantize } from "../ir/codes.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { decode, isFloat } from "../ir/numbers.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession, type Session } from "../run/ort.ts";
import { emptyHistogram, type Histogram, observe } from "./histogram.ts";

/** The float graph with every value to observe made an output, as a model for ONNX Runtime. */
export function observedModel(graph: Graph, values: readonly string[]): Uint8Array {
  const inputs = new Set(graph.inputs);
  const outputs = [
    ...new Set([...values.filter((name) => !inputs.has(name)), ...graph.states.map((state) => state.output)]),
  ];
  // ONNX has no integer factors a block: such weights go in as the reals that they stand for.
  const constants = new Map(
    [...graph.constants].map(([name, tensor]) => [name, tensor.quant?.multipliers ? dequantize(tensor) : tensor]),
  );
  return encodeModel({ ...graph, constants, outputs, states: [], metadata: new Map(), extra: undefined });
}

/** One unit of calibration work: samples that run one after the other, states carried over. */
export interface ObserveTask {
  readonly samples: readonly ReadonlyMap<string, Tensor>[];
}

/** What a task saw: a histogram of each value, and sums for every channel of those in `channels`. */
export interface Observation {
  readonly histograms: readonly Histogram[];
  readonly sums: readonly ChannelSums[];
}

/** Sums over everything but the channel axis, in the order of the samples: Σx and Σx⁸. */
export interface ChannelSums {
  readonly sums: Float64Array;
  readonly eighths: Float64Array;
  readonly count: number;
}

export const NO_SUMS: ChannelSums = { sums: new Float64Array(0), eighths: new Float64Array(0), count: 0 };

/** A value whose channels are wanted one by one; with `grid`, as they come back from its codes. */
export interface ChannelRequest {
  readonly value: string;
  readonly axis: number;
  readonly grid?: Grid;
}

/** Codes [low, high] of step `scale` around `zero`. */
export interface Grid {
  readonly scale: number;
  readonly zero: number;
  readonly low: number;
  readonly high: number;
}

export interface ObserveInit {
  readonly model: Uint8Array;
  readonly values: readonly string[];
  readonly channels: readonly ChannelRequest[];
  readonly states: readonly { readonly input: string; readonly output: string; readonly init: Tensor }[];
}

/** Runs a task's samples and gives the histograms of the observed values. Inputs are observed too. */
export async function observeTask(session: Session, init: ObserveInit, task: ObserveTask): Promise<Observation> {
  const histograms = init.values.map(emptyHistogram);
  const sums = init.channels.map(() => NO_SUMS);
  const state = new Map(init.states.map((entry) => [entry.input, entry.init]));
  for (const sample of task.samples) {
    const feeds = new Map([...state, ...sample]);
    // Where only inputs are looked at there is nothing to run.
    const outputs = session.outputs.length === 0 ? new Map<string, Tensor>() : await session.run(feeds);
    const seen = (name: string) => outputs.get(name) ?? feeds.get(name);
    init.values.forEach((name, index) => {
      const values = floatsOf(seen(name));
      if (values) observe(histograms[index], values);
    });
    init.channels.forEach(({ value, axis, grid }, index) => {
      const tensor = seen(value);
      const values = floatsOf(tensor);
      if (!tensor || !values) return;
      sums[index] = addChannels(sums[index], grid ? throughGrid(values, grid) : values, tensor.shape, axis);
    });
    for (const entry of init.states) {
      const next = outputs.get(entry.output);
      if (next) state.set(entry.input, next);
    }
  }
  return { histograms, sums };
}

function floatsOf(tensor: Tensor | undefined): Float32Array | undefined {
  if (tensor === undefined || !isFloat(tensor.dtype)) return undefined;
  return tensor.dtype === "float32"
    ? (tensor.data as Float32Array)
    : Float32Array.from(decode(tensor) as ArrayLike<number>);
}

/** The numbers as their codes tell them: rounded, and cut at the ends. */
function throughGrid(values: Float32Array, { scale, zero, low, high }: Grid): Float32Array {
  const result = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const code = Math.floor(values[index] / scale + 0.5) + zero;
    result[index] = ((code < low ? low : code > high ? high : code) - zero) * scale;
  }
  return result;
}

function addChannels(into: ChannelSums, values: Float32Array, shape: readonly number[], axis: number): ChannelSums {
  const channels = shape[axis];
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const isNew = into.sums.length !== channels;
  const sums = isNew ? new Float64Array(channels) : into.sums;
  const eighths = isNew ? new Float64Array(channels) : into.eighths;
  for (let start = 0; start < values.length; start += inner) {
    let sum = 0;
    let eighth = 0;
    for (let index = start; index < start + inner; index++) {
      const value = values[index];
      const fourth = value * value * value * value;
      sum += value;
      eighth += fourth * fourth;
    }
    sums[(start / inner) % channels] += sum;
    eighths[(start / inner) % channels] += eighth;
  }
  return { sums, eighths, count: into.count + values.length / channels };
}

/** Adds in the order of the tasks: floating-point sums depend on it. */
export function mergeSums(a: ChannelSums, b: ChannelSums): ChannelSums {
  if (a.count === 0) return b;
  const add = (x: Float64Array, y: Float64Array) => x.map((sum, channel) => sum + (y[channel] ?? 0));
  return { sums: add(a.sums, b.sums), eighths: add(a.eighths, b.eighths), count: a.count + b.count };
}

export async function openObserver(init: ObserveInit): Promise<Session> {
  return createSession(init.model, { threads: 1 });
}

/** A range cannot be chosen for values that are not numbers: throws model/not-finite with the value's name. */
export function requireFinite(histograms: ReadonlyMap<string, Histogram>): void {
  for (const [name, { broken }] of histograms) {
    if (broken === 0) continue;
    throw new CompileError("model/not-finite", `${broken} numbers of "${name}" are NaN or infinite`, {
      where: `value ${name}, on the calibration data`,
      remedy: "check the calibration data and the teacher: a range cannot be chosen for such values",
    });
  }
}
