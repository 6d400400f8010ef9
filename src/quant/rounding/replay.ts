import { removeDead } from "../../ir/edit.ts";
import type { Graph, State, Tensor } from "../../ir/graph.ts";
import { encodeModel } from "../../onnx/write.ts";
import type { Session } from "../../run/ort.ts";

/** What makes these values, and the states' next ones, as a model; undefined where all of them are inputs. */
export function modelOf(graph: Graph, values: readonly string[]): Uint8Array | undefined {
  const inputs = new Set(graph.inputs);
  const needed = removeDead({ ...graph, outputs: [...new Set(values)].filter((name) => !inputs.has(name)) });
  if (needed.nodes.length === 0) return undefined;
  // The states' next values are outputs like the others; ONNX has no states.
  const outputs = [...new Set([...needed.outputs, ...graph.states.map(({ output }) => output)])];
  return encodeModel({ ...needed, outputs, states: [], metadata: new Map(), extra: undefined });
}

/** Runs the samples of one task, states carried over; each run gives the float32 values by name. */
export function openRun(session: Session | undefined, states: readonly State[]) {
  const state = new Map(states.map((entry) => [entry.input, entry.init]));
  return async (sample: ReadonlyMap<string, Tensor>) => {
    const feeds = new Map([...state, ...sample]);
    const outputs = session ? await session.run(feeds) : new Map<string, Tensor>();
    for (const { input, output } of states) {
      const next = outputs.get(output);
      if (next) state.set(input, next);
    }
    return (name: string) => {
      const tensor = outputs.get(name) ?? feeds.get(name);
      return tensor?.dtype === "float32" ? (tensor.data as Float32Array) : undefined;
    };
  };
}

/** Which of `count` vectors are looked at: `most`, evenly spaced, and elsewhere in every sample, so that no place is left out. */
export function chosenVectors(count: number, most: number, sample: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index);
  const shift = (sample * 0.6180339887498949) % 1;
  return Array.from({ length: most }, (_, index) => Math.floor(((index + shift) * count) / most));
}

/** Vectors that determine a layer's Gram matrix well enough, of all samples: so many for each of its positions, … */
const VECTORS_A_POSITION = 64;
/** … and this many at least. */
const LEAST_VECTORS = 4096;

/** How many vectors to take of one sample where there are `samples`, and `most` are allowed. */
export function vectorsOfSample(depth: number, samples: number, most: number): number {
  return Math.min(most, Math.ceil(Math.max(LEAST_VECTORS, VECTORS_A_POSITION * depth) / samples));
}
