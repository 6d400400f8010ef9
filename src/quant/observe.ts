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

export interface ObserveInit {
  readonly model: Uint8Array;
  readonly values: readonly string[];
  readonly states: readonly { readonly input: string; readonly output: string; readonly init: Tensor }[];
}

/** Runs a task's samples and gives the histograms of the observed values. Inputs are observed too. */
export async function observeTask(session: Session, init: ObserveInit, task: ObserveTask): Promise<Histogram[]> {
  const histograms = init.values.map(emptyHistogram);
  const state = new Map(init.states.map((entry) => [entry.input, entry.init]));
  for (const sample of task.samples) {
    const feeds = new Map([...state, ...sample]);
    const outputs = await session.run(feeds);
    init.values.forEach((name, index) => {
      const tensor = outputs.get(name) ?? feeds.get(name);
      if (tensor?.dtype === "float32") observe(histograms[index], tensor.data as Float32Array);
      else if (tensor?.dtype === "float64") observe(histograms[index], Float32Array.from(tensor.data as Float64Array));
    });
    for (const entry of init.states) {
      const next = outputs.get(entry.output);
      if (next) state.set(entry.input, next);
    }
  }
  return histograms;
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
