/** A graph that runs piece by piece on the same samples, so that weights can still change that have not been read. */
import { bug } from "../error.ts";
import type { Graph, Tensor, Type } from "../ir/graph.ts";
import { readsOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import { inferTypes } from "../ops/infer.ts";
import { createSession } from "../run/ort.ts";
import type { Batch } from "./means.ts";

export interface Walk {
  /** Runs the nodes before place `end`. What they make is kept as long as later nodes read it; `wanted` values until the next call. */
  advance(end: number, wanted: readonly string[]): Promise<void>;
  /** A value, batch by batch; undefined where it has not been made yet, or is not kept. */
  values(name: string): readonly Tensor[] | undefined;
  /** Another constant for the nodes that have not run. */
  change(name: string, tensor: Tensor): void;
}

/** All batches have the same shapes. */
export function walkOf(graph: Graph, batches: readonly Batch[]): Walk {
  const constants = new Map(graph.constants);
  const lastRead = new Map<string, number>();
  for (const [at, node] of graph.nodes.entries()) for (const name of readsOf(node)) lastRead.set(name, at);
  const live = new Map<string, readonly Tensor[]>();
  for (const name of graph.inputs) {
    live.set(
      name,
      batches.flatMap((batch) => batch.get(name) ?? []),
    );
  }
  let done = 0;
  const run = async (end: number, wanted: ReadonlySet<string>): Promise<void> => {
    const nodes = graph.nodes.slice(done, end);
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const outputs = [...made].filter((name) => name !== "" && ((lastRead.get(name) ?? -1) >= end || wanted.has(name)));
    if (outputs.length === 0) return;
    const reads = new Set(nodes.flatMap(readsOf));
    const inputs = [...reads].filter((name) => !made.has(name) && !constants.has(name));
    const types = new Map(inputs.map((name) => [name, typeOfFirst(live.get(name), name)] as const));
    const known = new Map([...constants].filter(([name]) => reads.has(name)));
    const piece = inferTypes({ ...graph, inputs, outputs, nodes, constants: known, types, states: [] });
    const session = await createSession(encodeModel(piece), { memoryPattern: false });
    try {
      const found = new Map(outputs.map((name): [string, Tensor[]] => [name, []]));
      for (const index of batches.keys()) {
        const feeds = new Map(
          inputs.map((name) => [name, live.get(name)?.[index] ?? bug(`"${name}" is gone`)] as const),
        );
        const values = await session.run(feeds);
        for (const [name, list] of found) list.push(values.get(name) ?? bug(`nothing made "${name}"`));
      }
      for (const [name, list] of found) live.set(name, list);
    } finally {
      await session.release();
    }
  };
  return {
    async advance(end, wanted) {
      const asked = new Set(wanted);
      if (end > done) await run(end, asked);
      done = Math.max(done, end);
      for (const name of live.keys()) if ((lastRead.get(name) ?? -1) < done && !asked.has(name)) live.delete(name);
    },
    values: (name) => live.get(name),
    change: (name, tensor) => constants.set(name, tensor),
  };
}

function typeOfFirst(values: readonly Tensor[] | undefined, name: string): Type {
  const [first] = values ?? [];
  if (first === undefined) return bug(`"${name}" is read, but was not kept`);
  return { dtype: first.dtype, shape: first.shape };
}
