/** A worker thread's part of a training step: the session, and weights that the main thread writes into shared memory. */
import { elementCount, type Tensor } from "../ir/graph.ts";
import { createSession } from "../run/ort.ts";
import type { SetUp } from "../run/pool.ts";

export interface ShardSetUp {
  readonly model: Uint8Array;
  readonly threads: number;
  /** The weights one after the other, float32. */
  readonly memory: SharedArrayBuffer;
  readonly shapes: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** What the graph reads beside the weights. */
export type ShardItem = ReadonlyMap<string, Tensor>;

export const setUp: SetUp<ShardSetUp, ShardItem, Map<string, Tensor>> = async ({ model, threads, memory, shapes }) => {
  const session = await createSession(model, { threads, memoryPattern: false });
  const all = new Float32Array(memory);
  return (batch) => {
    const feeds = new Map(batch);
    let at = 0;
    for (const { name, shape } of shapes) {
      const size = elementCount(shape);
      // ONNX Runtime's binding takes no shared memory.
      feeds.set(name, { dtype: "float32", shape, data: all.slice(at, at + size) });
      at += size;
    }
    return session.run(feeds);
  };
};
