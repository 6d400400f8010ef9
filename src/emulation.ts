/** Running an artifact for its outputs and its time. */
import { readArtifact, writeFileAtomic } from "./artifact/file.ts";
import { type Measurement, measure } from "./certify/measure.ts";
import { type DataArray, type Dataset, openDataset } from "./data/dataset.ts";
import { checkInputs, fitSample, type Wanted } from "./data/fit.ts";
import { encodeNpz } from "./data/write-npz.ts";
import { CompileError } from "./error.ts";
import { dequantize } from "./ir/codes.ts";
import type { Graph, Tensor } from "./ir/graph.ts";
import { decodeRecord } from "./ir/record.ts";
import { codesOf, executorOf, tensorOf } from "./replay.ts";

export interface EmulateOptions {
  readonly profile?: string;
  readonly input?: string;
  readonly output?: string;
  readonly executor: "machine" | "fast";
  readonly signal?: AbortSignal;
}

export interface Emulation extends Pick<Measurement, "latency" | "memory" | "checked"> {
  readonly profile: string;
  readonly samples: number;
  readonly output?: string;
}

/** Throws what readArtifact and openDataset throw; usage/output-without-input. */
export async function emulateArtifact(path: string, options: EmulateOptions): Promise<Emulation> {
  const { input, output } = options;
  if (output !== undefined && input === undefined) {
    throw new CompileError("usage/output-without-input", "--output needs --input", { remedy: "Give --input X.npz." });
  }
  const artifact = readArtifact(path);
  const profile = options.profile ?? artifact.manifest.target.profile;
  const { latency, memory, checked } = measure(artifact, profile);
  if (input === undefined) return { profile, latency, memory, checked, samples: 0 };
  const graph = decodeRecord(artifact.sections.get("record") ?? new Uint8Array());
  const dataset = await openDataset({ npz: input }, process.cwd());
  try {
    const wanted: Wanted = new Map(artifact.manifest.inputs.map(({ name, ...type }) => [name, type]));
    checkInputs(dataset, wanted, "input");
    const executor = executorOf(options.executor, artifact);
    const columns = await runAll(dataset, wanted, graph, executor, options.signal);
    if (output !== undefined) writeFileAtomic(output, [encodeNpz(columns)]);
    return { profile, latency, memory, checked, samples: dataset.length, ...(output !== undefined && { output }) };
  } finally {
    dataset.close();
  }
}

type Executor = ReturnType<typeof executorOf>;

/** Every output's values of all samples, the first axis counting them. */
async function runAll(dataset: Dataset, wanted: Wanted, graph: Graph, executor: Executor, signal?: AbortSignal) {
  const rows = new Map<string, Tensor[]>();
  const internal = new Set(graph.states.map(({ output }) => output));
  let sequence: string | undefined;
  for (let index = 0; index < dataset.length; index++) {
    signal?.throwIfAborted();
    // Long runs leave room for Ctrl-C.
    if (index % 16 === 0) await new Promise(setImmediate);
    const sample = await dataset.read(index);
    if (sample.sequence === undefined || sample.sequence !== sequence) executor.reset();
    sequence = sample.sequence;
    const outputs = executor.run(codesOf(graph, fitSample(sample, wanted) as ReadonlyMap<string, Tensor>));
    for (const codes of outputs) {
      if (internal.has(codes.name)) continue;
      const tensor = tensorOf(codes, graph.types.get(codes.name)?.quant);
      const real = tensor.quant === undefined ? tensor : dequantize(tensor);
      const row = rows.get(codes.name);
      if (row === undefined) rows.set(codes.name, [real]);
      else row.push(real);
    }
  }
  return new Map([...rows].map(([name, list]) => [name, stack(list)]));
}

function stack(list: readonly Tensor[]): DataArray {
  const [first] = list;
  const inner = first.shape[0] === 1 ? first.shape.slice(1) : first.shape;
  const values = list.map(({ data }) => data as Float32Array);
  const all = new (values[0].constructor as Float32ArrayConstructor)(
    values.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const row of values) {
    all.set(row, at);
    at += row.length;
  }
  return { dtype: first.dtype, shape: [list.length, ...inner], data: all } as DataArray;
}
