/**
 * What a worker thread does of a training step, on memory that all threads see: the session, the mean of all parts' gradients, the
 * optimizer's rule.
 */
import type { Tensor } from "../ir/graph.ts";
import { createSession } from "../run/ort.ts";
import type { SetUp } from "../run/pool.ts";
import type { SharedMemory } from "../run/wasm.ts";
import { addAll, kernelsOn } from "./kernels/load.ts";
import { arraysIn, type Room, type Run, sizeOf } from "./memory.ts";
import { keptOf, placesOfState } from "./optimizer.ts";
import { type Move, type OptimizerSpec, ruleOf } from "./rules.ts";

export interface ShardSetUp {
  readonly model: Uint8Array;
  readonly threads: number;
  readonly shards: number;
  /** What all rooms are in. */
  readonly memory: SharedMemory;
  readonly weights: Room;
  /** Each part's, a part after the other. In the end, the first part's are the means of all. */
  readonly gradients: Room;
  /** Four doubles for each of the gradients. */
  readonly sums: Room;
  /** Names of the weights, in the gradients' order. */
  readonly parameters: readonly string[];
}

export type ShardItem = PartItem | MeanItem | MoveItem;

/** The gradients of a part of the batch, computed. */
interface PartItem {
  readonly kind: "part";
  readonly index: number;
  /** What the graph reads beside the weights. */
  readonly batch: ReadonlyMap<string, Tensor>;
}

/** The mean over the parts of the gradients of some weights. */
interface MeanItem extends Run {
  readonly kind: "mean";
}

/** An optimizer's step for some weights. */
interface MoveItem extends Run, Move {
  readonly kind: "move";
  readonly spec: OptimizerSpec;
  /** What the optimizer keeps of all weights. */
  readonly state: Omit<Room, "places">;
}

export interface ShardResult {
  /** What the graph makes beside the gradients. */
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Of each mean gradient, the sum of its squares. */
  readonly squares: readonly number[];
}

const NOTHING: ShardResult = { outputs: new Map(), squares: [] };

export const setUp: SetUp<ShardSetUp, ShardItem, ShardResult> = async (given) => {
  const compute = await partOf(given);
  const parts = Array.from({ length: given.shards }, (_, part) => [...arraysIn(given.gradients, part).values()]);
  const values = arraysIn(given.weights);
  const kernels = kernelsOn(given.memory);
  const within = [...arraysIn(given.sums).values()].map(({ buffer, byteOffset }) => {
    return { kernels, sums: new Float64Array(buffer, byteOffset, 4) };
  });
  const moved = given.parameters.map((name, index) => ({
    ...{ name, shape: given.gradients.places[index].shape, gradient: parts[0][index] },
    values: values.get(name) as Float32Array,
    within: within[index],
  }));
  return async (item) => {
    switch (item.kind) {
      case "part":
        return { ...NOTHING, outputs: await compute(item) };
      case "mean": {
        const mean = (at: number): number => {
          return addAll(
            parts.map((part) => part[at]),
            parts.length,
            within[at],
          );
        };
        return { ...NOTHING, squares: Array.from({ length: item.to - item.from }, (_, at) => mean(item.from + at)) };
      }
      case "move": {
        const rule = ruleOf(item.spec);
        const state = arraysIn({ ...item.state, places: placesOfState(rule, moved) });
        const move = rule.step(item);
        for (const weight of moved.slice(item.from, item.to))
          move({ ...weight, kept: keptOf(rule, weight.name, state) });
        return NOTHING;
      }
    }
  };
};

async function partOf({ model, threads, weights, gradients }: ShardSetUp) {
  const session = await createSession(model, { threads, memoryPattern: false });
  // ONNX Runtime's binding takes no shared memory.
  const own = new Float32Array(sizeOf(weights.places));
  const arrays = arraysIn({ memory: own.buffer, places: weights.places });
  const feeds = weights.places.map(({ name, shape }): [string, Tensor] => {
    return [name, { dtype: "float32", shape, data: arrays.get(name) as Float32Array }];
  });
  return async ({ index, batch }: PartItem): Promise<ReadonlyMap<string, Tensor>> => {
    own.set(new Float32Array(weights.memory, weights.start, own.length));
    const into = arraysIn(gradients, index);
    const outputs = await session.run(new Map([...batch, ...feeds]), undefined, into);
    for (const name of into.keys()) outputs.delete(name);
    return outputs;
  };
}
