/** One thread of the comparison: every executor on the same codes. */
import type { Codes } from "../../src/artifact/golden.ts";
import type { CertifyTask } from "../../src/certify/task.ts";
import { type DataSpec, openDataset } from "../../src/data/dataset.ts";
import { fitSample, type Wanted } from "../../src/data/fit.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { decodeRecord } from "../../src/ir/record.ts";
import { bytesOf } from "../../src/ir/tensor.ts";
import { exportIntegerOnnx } from "../../src/onnx/integer.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { type ChipSections, chipExecutor, codesOf, fastExecutor, firstDifference, tensorOf } from "../../src/replay.ts";
import { createSession } from "../../src/run/ort.ts";
import type { SetUp } from "../../src/run/pool.ts";

export interface AgreeWork {
  readonly record: Uint8Array;
  readonly sections: ChipSections;
  readonly data: DataSpec;
  readonly folder: string;
  readonly wanted: Wanted;
}

export interface AgreeAnswer {
  readonly samples: number;
  /** The first difference, in words. */
  readonly difference?: string;
  /** Milliseconds by executor. */
  readonly spent: Readonly<Record<string, number>>;
}

interface Executor {
  run(inputs: readonly Codes[]): Promise<Codes[]> | Codes[];
  reset(): void;
}

export const setUp: SetUp<AgreeWork, CertifyTask, AgreeAnswer> = async (work) => {
  const dataset = await openDataset(work.data, work.folder);
  const graph = decodeRecord(work.record);
  const fast = fastExecutor(graph);
  const others = { machine: chipExecutor(work.sections), "integer ONNX": await ortExecutor(graph) };
  const streaming = dataset.sequences !== undefined;
  return async ({ start, length }) => {
    const spent: Record<string, number> = {};
    const timed = async (name: string, executor: Executor, inputs: readonly Codes[]) => {
      const begin = performance.now();
      const outputs = await executor.run(inputs);
      spent[name] = (spent[name] ?? 0) + performance.now() - begin;
      return outputs;
    };
    for (let index = start; index < start + length; index++) {
      if (!streaming || index === start) for (const executor of [fast, ...Object.values(others)]) executor.reset();
      const sample = await dataset.read(index);
      const inputs = codesOf(graph, fitSample(sample, work.wanted) as ReadonlyMap<string, Tensor>);
      const wanted = await timed("fast", fast, inputs);
      for (const [name, executor] of Object.entries(others)) {
        const found = firstDifference(wanted, await timed(name, executor, inputs));
        if (found === undefined) continue;
        return { samples: index - start + 1, difference: `sample ${sample.id}: ${name} differs: ${found}`, spent };
      }
    }
    return { samples: length, spent };
  };
};

/** The export keeps states as inputs and outputs; whoever runs it feeds them back. */
async function ortExecutor(graph: Graph): Promise<Executor> {
  const session = await createSession(encodeModel(exportIntegerOnnx(graph)));
  const states = new Map<string, Tensor>();
  const reset = () => {
    for (const { input, init } of graph.states) states.set(input, init);
  };
  reset();
  return {
    reset,
    async run(inputs) {
      const outputs = await session.run(
        new Map([...states, ...inputs.map((codes) => [codes.name, tensorOf(codes)] as const)]),
      );
      for (const { input, output } of graph.states) states.set(input, outputs.get(output)!);
      return [...outputs].map(([name, tensor]) => ({
        name,
        dtype: tensor.dtype,
        shape: tensor.shape,
        bytes: bytesOf(tensor),
      }));
    },
  };
}
