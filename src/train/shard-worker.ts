/**
 * A worker thread's part of a training step: the session, weights that the main thread writes into shared memory, and
 * gradients that it reads there.
 */
import type { Tensor } from "../ir/graph.ts";
import { createSession } from "../run/ort.ts";
import type { SetUp } from "../run/pool.ts";
import { arraysIn, type Room, sizeOf } from "./memory.ts";

export interface ShardSetUp {
  readonly model: Uint8Array;
  readonly threads: number;
  readonly weights: Room;
  /** Each part's, a part after the other. */
  readonly gradients: Room;
}

export interface ShardItem {
  /** Which part of the batch it is. */
  readonly index: number;
  /** What the graph reads beside the weights. */
  readonly batch: ReadonlyMap<string, Tensor>;
}

/** Gives what the graph makes beside the gradients. */
export const setUp: SetUp<ShardSetUp, ShardItem, Map<string, Tensor>> = async (given) => {
  const { places, memory } = given.weights;
  const session = await createSession(given.model, { threads: given.threads, memoryPattern: false });
  // ONNX Runtime's binding takes no shared memory.
  const own = new Float32Array(sizeOf(places));
  const arrays = arraysIn({ memory: own.buffer, places });
  const weights = places.map(({ name, shape }): [string, Tensor] => {
    return [name, { dtype: "float32", shape, data: arrays.get(name) as Float32Array }];
  });
  return async ({ index, batch }) => {
    own.set(new Float32Array(memory));
    const into = arraysIn(given.gradients, index);
    const outputs = await session.run(new Map([...batch, ...weights]), undefined, into);
    for (const name of into.keys()) outputs.delete(name);
    return outputs;
  };
};
