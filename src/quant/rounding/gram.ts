import type { Graph, Node, State } from "../../ir/graph.ts";
import { createSession, type Session } from "../../run/ort.ts";
import type { ObserveTask } from "../observe.ts";
import { type Algebra, openAlgebra } from "./algebra.ts";
import { type Layer, type Reading, readingOf, readVector } from "./layers.ts";
import { chosenVectors, modelOf, openRun, vectorsOfSample } from "./replay.ts";

/** What the inputs of one layer look like, summed over samples and positions, for each group. */
export interface LayerStatistics {
  /** Σ x̂·x̂ᵀ of the inputs as they are behind the layers already rounded, [groups, depth, depth]. */
  readonly gram: Float64Array;
  /** Σ x̂·xᵀ with the float model's inputs; absent where the two are the same. */
  readonly cross?: Float64Array;
  /** Σ x̂ and Σ x, [groups, depth]. */
  readonly sum: Float64Array;
  readonly floatSum: Float64Array;
  readonly count: number;
}

/** Models without a node are none: what is wanted are inputs. */
type Model = Uint8Array | undefined;

export interface GramInit {
  /** The float model, and the one whose first layers are rounded where there is one already. */
  readonly models: readonly [float: Model, ...rounded: Model[]];
  /** For each layer, its nodes' inputs. */
  readonly readings: readonly (readonly Reading[])[];
  /** Samples in all, and vectors that are taken of one input of one of them, at most, spread evenly. */
  readonly samples: number;
  readonly vectors: number;
  readonly states: readonly State[];
}

/** What the runs of these layers need. `rounded` has the same values under the same names, its first layers rounded. */
export function gramInit(
  graph: Graph,
  rounded: Graph,
  layers: readonly Layer[],
  samples: number,
  vectors: number,
): GramInit {
  const readings = layers.map((layer) => layer.nodes.map((node: Node) => readingOf(graph, layer, node)));
  const values = readings.flatMap((list) => list.map(({ value }) => value));
  return {
    models: [modelOf(graph, values), ...(rounded === graph ? [] : [modelOf(rounded, values)])],
    readings,
    samples,
    vectors,
    states: graph.states,
  };
}

export interface GramWork {
  run(task: ObserveTask): Promise<LayerStatistics[]>;
  release(): Promise<void>;
}

/** One thread's share of the work. */
export async function openGrams(init: GramInit): Promise<GramWork> {
  const algebra = openAlgebra();
  const sessions: (Session | undefined)[] = [];
  for (const model of init.models) sessions.push(model && (await createSession(model, { threads: 1 })));
  const twice = sessions.length > 1;
  return {
    async run(task) {
      const sums = init.readings.map(([reading]) => openSum(reading, twice));
      const runs = sessions.map((session) => openRun(session, init.states));
      for (const [index, sample] of task.samples.entries()) {
        const seen: ((name: string) => Float32Array | undefined)[] = [];
        for (const run of runs) seen.push(await run(sample));
        for (const [layer, readings] of init.readings.entries()) {
          for (const reading of readings) {
            const exact = seen[0](reading.value);
            const met = twice ? seen[1](reading.value) : exact;
            if (exact && met)
              await sums[layer].add(
                reading,
                chosenVectors(
                  reading.count,
                  vectorsOfSample(reading.depth, init.samples, init.vectors),
                  task.first + index,
                ),
                met,
                exact,
                algebra,
              );
          }
        }
      }
      const results: LayerStatistics[] = [];
      for (const sum of sums) results.push(await sum.end(algebra));
      return results;
    },
    async release() {
      await algebra.release();
      for (const session of sessions) await session?.release();
    },
  };
}

/** Numbers that one product of matrices takes: its buffer is 4 MiB, whatever the layer. */
const BUFFER = 2 ** 20;

/** Sums over the vectors of a layer: by products of whole buffers in single precision, added up in doubles. */
export function openSum(reading: Reading, twice: boolean) {
  const { groups, depth } = reading;
  const rows = Math.max(16, Math.min(4096, Math.floor(BUFFER / (groups * depth))));
  const met = new Float32Array(groups * rows * depth);
  const exact = twice ? new Float32Array(groups * rows * depth) : met;
  const gram = new Float64Array(groups * depth * depth);
  const cross = twice ? new Float64Array(groups * depth * depth) : undefined;
  const sum = new Float64Array(groups * depth);
  const floatSum = twice ? new Float64Array(groups * depth) : sum;
  let filled = 0;
  let count = 0;
  const flush = async (algebra: Algebra) => {
    if (filled === 0) return;
    // With one group, the vectors lie together; otherwise the rest of each group's buffer counts as zeros.
    const used = groups === 1 ? filled : rows;
    const parts = (twice ? [met, exact] : [met]).map((buffer) => {
      for (let group = 0; group < groups; group++) {
        buffer.fill(0, (group * rows + filled) * depth, (group + 1) * rows * depth);
      }
      return groups === 1 ? buffer.subarray(0, filled * depth) : buffer;
    });
    const [x, y] = [parts[0], parts[parts.length - 1]];
    addTo(gram, await algebra.correlate(x, x, groups, used, depth));
    if (cross) addTo(cross, await algebra.correlate(x, y, groups, used, depth));
    addVectors(sum, x, reading, filled, used);
    if (twice) addVectors(floatSum, y, reading, filled, used);
    filled = 0;
  };
  return {
    async add(input: Reading, chosen: readonly number[], values: Float32Array, floats: Float32Array, algebra: Algebra) {
      for (const index of chosen) {
        readVector(input, values, index, met, filled, rows);
        if (twice) readVector(input, floats, index, exact, filled, rows);
        filled += 1;
        if (filled === rows) await flush(algebra);
      }
      count += chosen.length;
    },
    async end(algebra: Algebra): Promise<LayerStatistics> {
      await flush(algebra);
      return { gram, ...(cross && { cross }), sum, floatSum, count };
    },
  };
}

function addTo(sum: Float64Array, values: ArrayLike<number>): void {
  for (let index = 0; index < sum.length; index++) sum[index] += values[index];
}

/** Adds the first `filled` of each group's `rows` vectors. */
function addVectors(sum: Float64Array, values: Float32Array, { groups, depth }: Reading, filled: number, rows: number) {
  for (let group = 0; group < groups; group++) {
    const own = sum.subarray(group * depth, (group + 1) * depth);
    const end = (group * rows + filled) * depth;
    for (let from = group * rows * depth; from < end; from += depth) {
      for (let at = 0; at < depth; at++) own[at] += values[from + at];
    }
  }
}

/** Adds `more` into `total`; the order of calls is the order of the tasks, since floating-point sums depend on it. */
export function addStatistics(total: LayerStatistics | undefined, more: LayerStatistics): LayerStatistics {
  if (total === undefined) return more;
  addTo(total.gram, more.gram);
  if (total.cross && more.cross) addTo(total.cross, more.cross);
  addTo(total.sum, more.sum);
  if (total.floatSum !== total.sum) addTo(total.floatSum, more.floatSum);
  return { ...total, count: total.count + more.count };
}
