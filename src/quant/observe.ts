import { CompileError } from "../error.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { decode, isFloat } from "../ir/numbers.ts";
import { makeTensor } from "../ir/tensor.ts";
import { createSession, type Session } from "../run/ort.ts";
import { emptyHistogram, type Histogram, observe, observeWithin, widen } from "./histogram.ts";
import { type ChannelProbe, type Probes, probedModel, type ValueProbe, type Wanted } from "./probe.ts";
import { higher } from "./warnings.ts";

/** One unit of calibration work: samples that run one after the other, states carried over. */
export interface ObserveTask {
  /** Number of the first sample, counted over all tasks. */
  readonly first: number;
  readonly samples: readonly ReadonlyMap<string, Tensor>[];
}

/** What a task saw: a histogram of each value, and sums for every channel of those in `channels`. */
export interface Observation {
  readonly histograms: readonly Histogram[];
  readonly peaks: readonly Peak[];
  readonly sums: readonly ChannelSums[];
}

/** The two largest magnitudes that a value has in different samples, and the number of the sample that has the largest. */
export interface Peak {
  readonly largest: number;
  readonly second: number;
  readonly sample: number;
}

export const NO_PEAK: Peak = { largest: 0, second: 0, sample: 0 };

/** Σx or Σ|x|⁸ over everything but the channel axis, in the order of the samples. */
export interface ChannelSums {
  readonly sums: Float64Array;
  readonly count: number;
}

export const NO_SUMS: ChannelSums = { sums: new Float64Array(0), count: 0 };

/** What an observer is set up with, in this thread or in a worker. */
export interface ObserveInit {
  readonly model: Uint8Array;
  readonly probes: Probes;
  readonly states: readonly { readonly input: string; readonly output: string; readonly init: Tensor }[];
}

/** The graph with its probes, for so many samples, ready to be sent to workers. */
export function observerOf(graph: Graph, wanted: Wanted, samples: number): ObserveInit {
  return { ...probedModel(graph, wanted, samples), states: graph.states };
}

/** Runs a task's samples and gives what the probes saw. Inputs are observed too. */
export async function observeTask(session: Session, init: ObserveInit, task: ObserveTask): Promise<Observation> {
  const { probes } = init;
  const histograms = probes.values.map(emptyHistogram);
  const peaks = probes.values.map(() => NO_PEAK);
  const sums = probes.channels.map(() => NO_SUMS);
  const state = new Map(init.states.map((entry) => [entry.input, entry.init]));
  for (const [index, sample] of task.samples.entries()) {
    const feeds = new Map([...state, ...sample]);
    if (probes.shift) feeds.set(probes.shift, makeTensor("int64", [1], BigInt64Array.of(BigInt(task.first + index))));
    // Where only small inputs are looked at there is nothing to run.
    const outputs = session.outputs.length === 0 ? new Map<string, Tensor>() : await session.run(feeds);
    const summary = (probes.summary ? outputs.get(probes.summary)?.data : undefined) as Float32Array | undefined;
    probes.values.forEach((probe, at) => {
      const seen =
        probe.kind === "sampled"
          ? observeSampled(histograms[at], probe, summary as Float32Array)
          : observeWhole(histograms[at], outputs.get(probe.value) ?? feeds.get(probe.value));
      peaks[at] = higher(peaks[at], seen, task.first + index);
    });
    probes.channels.forEach((probe, at) => {
      if (probe && summary) sums[at] = mergeSums(sums[at], channelSums(probe, summary));
    });
    for (const entry of init.states) {
      const next = outputs.get(entry.output);
      if (next) state.set(entry.input, next);
    }
  }
  return { histograms, peaks, sums };
}

/** Gives the largest magnitude. */
function observeWhole(histogram: Histogram, tensor: Tensor | undefined): number {
  if (tensor === undefined || !isFloat(tensor.dtype)) return 0;
  const values = tensor.dtype === "float32" ? tensor.data : Float32Array.from(decode(tensor) as ArrayLike<number>);
  return observe(histogram, values as Float32Array);
}

/** The sum is NaN where a number is; extremes are infinite where one of them is. */
function observeSampled(
  histogram: Histogram,
  { at, count, step, sum }: Extract<ValueProbe, { kind: "sampled" }>,
  summary: Float32Array,
): number {
  const [least, largest] = [summary[at], summary[at + 1]];
  const hasNaN = sum !== undefined && Number.isNaN(summary[sum]);
  const isWhole = !hasNaN && Number.isFinite(least) && Number.isFinite(largest);
  if (isWhole) widen(histogram, least, largest);
  else histogram.broken += 1;
  const taken = summary.subarray(at + 2, at + 2 + count);
  if (count > 0) (isWhole ? observeWithin : observe)(histogram, taken, step);
  return Math.max(largest, -least);
}

function channelSums(
  { sums, largest, channels, size, unit, offset }: ChannelProbe,
  summary: Float32Array,
): ChannelSums {
  const found = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) found[channel] = summary[sums + channel] * unit + offset;
  if (largest !== undefined) {
    for (let channel = 0; channel < channels; channel++) {
      const square = summary[largest + channel] ** 2;
      found[channel] *= square * square * square * square;
    }
  }
  return { sums: found, count: size };
}

/** Adds in the order of the tasks: floating-point sums depend on it. */
export function mergeSums(a: ChannelSums, b: ChannelSums): ChannelSums {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const sums = new Float64Array(a.sums.length);
  for (let channel = 0; channel < sums.length; channel++) sums[channel] = a.sums[channel] + b.sums[channel];
  return { sums, count: a.count + b.count };
}

export async function openObserver(init: ObserveInit): Promise<Session> {
  return createSession(init.model, { threads: 1, memoryPattern: false });
}

/** A range cannot be chosen for values that are not numbers: throws model/not-finite with the value's name. */
export function requireFinite(histograms: ReadonlyMap<string, Histogram>): void {
  for (const [name, { broken }] of histograms) {
    if (broken === 0) continue;
    throw new CompileError("model/not-finite", `"${name}" has numbers that are NaN or infinite`, {
      where: `value ${name}, on the calibration data`,
      remedy: "check the calibration data and the teacher: a range cannot be chosen for such values",
    });
  }
}
