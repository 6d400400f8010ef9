/**
 * What a worker thread does of a training step, on memory that all threads see: the session, the mean of all parts' gradients, the
 * optimizer's rule.
 */
import type { Tensor } from "../ir/graph.ts";
import { free, valuesOf } from "../ir/tensor.ts";
import { createSession } from "../run/ort.ts";
import type { SetUp } from "../run/pool.ts";
import { arraysIn, type Run, sizeOf } from "./memory.ts";
import { type MoveRun, movesIn, type Rooms } from "./moves.ts";

export interface ShardSetUp extends Rooms {
  readonly model: Uint8Array;
  readonly threads: number;
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
interface MoveItem extends MoveRun {
  readonly kind: "move";
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
  const { mean, move } = movesIn(given);
  return async (item) => {
    switch (item.kind) {
      case "part":
        return { ...NOTHING, outputs: await compute(item) };
      case "mean":
        return { ...NOTHING, squares: mean(item) };
      case "move":
        move(item);
        return NOTHING;
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
    for (const tensor of batch.values()) free(valuesOf(tensor));
    return outputs;
  };
}
