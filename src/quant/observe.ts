import { CompileError } from "../error.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession, type Session } from "../run/ort.ts";
import { emptyHistogram, type Histogram, observe } from "./histogram.ts";

/** The float graph with every value to observe made an output, as a model for ONNX Runtime. */
export function observedModel(graph: Graph, values: readonly string[]): Uint8Array {
  const inputs = new Set(graph.inputs);
  const outputs = [
    ...new Set([...values.filter((name) => !inputs.has(name)), ...graph.states.map((state) => state.output)]),
  ];
  return encodeModel({ ...graph, outputs, states: [], metadata: new Map(), extra: undefined });
}

/** One unit of calibration work: samples that run one after the other, states carried over. */
export interface ObserveTask {
  readonly samples: readonly ReadonlyMap<string, Tensor>[];
}

/** What a task saw: a histogram of each value, and for each of `means` the sum of every channel. */
export interface Observation {
  readonly histograms: readonly Histogram[];
  readonly sums: readonly ChannelSums[];
}

/** Sums over everything but the channel axis, in the order of the samples. */
export interface ChannelSums {
  readonly sums: Float64Array;
  count: number;
}

/** A value whose channel means are wanted. */
export interface MeanRequest {
  readonly value: string;
  readonly axis: number;
}

export interface ObserveInit {
  readonly model: Uint8Array;
  readonly values: readonly string[];
  readonly means: readonly MeanRequest[];
  readonly states: readonly { readonly input: string; readonly output: string; readonly init: Tensor }[];
}

/** Runs a task's samples and gives the histograms of the observed values. Inputs are observed too. */
export async function observeTask(session: Session, init: ObserveInit, task: ObserveTask): Promise<Observation> {
  const histograms = init.values.map(emptyHistogram);
  const sums = init.means.map((): ChannelSums => ({ sums: new Float64Array(0), count: 0 }));
  const state = new Map(init.states.map((entry) => [entry.input, entry.init]));
  for (const sample of task.samples) {
    const feeds = new Map([...state, ...sample]);
    const outputs = await session.run(feeds);
    const seen = (name: string) => outputs.get(name) ?? feeds.get(name);
    init.values.forEach((name, index) => {
      const values = floatsOf(seen(name));
      if (values) observe(histograms[index], values);
    });
    init.means.forEach(({ value, axis }, index) => {
      const tensor = seen(value);
      const values = floatsOf(tensor);
      if (tensor && values) sums[index] = addChannels(sums[index], values, tensor.shape, axis);
    });
    for (const entry of init.states) {
      const next = outputs.get(entry.output);
      if (next) state.set(entry.input, next);
    }
  }
  return { histograms, sums };
}

function floatsOf(tensor: Tensor | undefined): Float32Array | undefined {
  if (tensor?.dtype === "float32") return tensor.data as Float32Array;
  return tensor?.dtype === "float64" ? Float32Array.from(tensor.data as Float64Array) : undefined;
}

function addChannels(into: ChannelSums, values: Float32Array, shape: readonly number[], axis: number): ChannelSums {
  const channels = shape[axis];
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const sums = into.sums.length === channels ? into.sums : new Float64Array(channels);
  for (let start = 0; start < values.length; start += inner) {
    let sum = 0;
    for (let index = start; index < start + inner; index++) sum += values[index];
    sums[(start / inner) % channels] += sum;
  }
  return { sums, count: into.count + values.length / channels };
}

/** Adds in the order of the tasks: floating-point sums depend on it. */
export function mergeSums(a: ChannelSums, b: ChannelSums): ChannelSums {
  if (a.count === 0) return b;
  return { sums: a.sums.map((sum, channel) => sum + (b.sums[channel] ?? 0)), count: a.count + b.count };
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
