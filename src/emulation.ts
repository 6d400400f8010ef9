/** Running an artifact for its outputs and its time. */
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact, writeFileAtomic } from "./artifact/file.ts";
import { type Measurement, measure, targetOf } from "./certify/measure.ts";
import { type DeadlineVerdict, judgeDeadline } from "./checker/deadline.ts";
import { type DataArray, type Dataset, openDataset } from "./data/dataset.ts";
import { checkInputs, fitSample, type Wanted } from "./data/fit.ts";
import { encodeNpz } from "./data/write-npz.ts";
import { type Contention, contendFor, drawnRun } from "./emulate/contention.ts";
import { decodeProgram } from "./emulate/decode.ts";
import { operate, type Power } from "./emulate/power.ts";
import { timelineOf } from "./emulate/timing.ts";
import { traceOf } from "./emulate/trace.ts";
import { CompileError } from "./error.ts";
import { dequantize } from "./ir/codes.ts";
import { confidenceOf } from "./ir/confidence.ts";
import type { Graph, Tensor } from "./ir/graph.ts";
import { decodeRecord } from "./ir/record.ts";
import { type Redundancy, redundantExecutor } from "./redundancy.ts";
import { codesOf, type Executor, executorOf, tensorOf } from "./replay.ts";
import type { Program } from "./schedule/program.ts";
import type { Profile } from "./target/schema.ts";

export interface EmulateOptions {
  readonly profile?: string;
  readonly input?: string;
  readonly output?: string;
  readonly executor: "machine" | "fast";
  /** Where the run's trace goes. */
  readonly trace?: string;
  /** Of the runs drawn, the one that the trace shows, from 1 on; absent: the run without others. */
  readonly traceRun?: number;
  /** Runs that are drawn among other clients of the chip, and their seed. */
  readonly runs?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface Emulation extends Pick<Measurement, "latency" | "memory" | "energy" | "checked"> {
  readonly profile: string;
  readonly power: Power;
  /** The worst case against the profile's deadline. */
  readonly deadline: DeadlineVerdict;
  readonly contention: Omit<Contention, "drawn"> & { readonly runs: number };
  readonly samples: number;
  readonly output?: string;
  readonly trace?: string;
  /** What two SoCs that run the same said of each other; absent where they do not, or nothing ran. */
  readonly redundancy?: Redundancy;
}

/** Throws what readArtifact, openDataset and redundantExecutor throw; usage/output-without-input. */
export async function emulateArtifact(path: string, options: EmulateOptions): Promise<Emulation> {
  const { input, output, trace } = options;
  if (output !== undefined && input === undefined) {
    throw new CompileError("usage/output-without-input", "--output needs --input", { remedy: "Give --input X.npz." });
  }
  const artifact = readArtifact(path);
  const profile = options.profile ?? artifact.manifest.target.profile;
  const { latency, memory, energy, checked } = measure(artifact, profile);
  const program = programOf(artifact);
  const { target, power } = operate(program, targetOf(artifact), { profile });
  const timeline = timelineOf(program, target, { profile });
  const { runs, seed, traceRun } = options;
  const drawing = { profile, ...(runs !== undefined && { runs }), ...(seed !== undefined && { seed }) };
  const { drawn, ...contention } = contendFor(timeline, target, drawing);
  if (trace !== undefined) {
    const replay = traceRun === undefined ? undefined : drawnRun(timeline, target, traceRun, drawing);
    writeFileAtomic(trace, [Buffer.from(JSON.stringify(traceOf(program, timeline, target, replay)))]);
  }
  const { floorCycles } = latency;
  const { worstCaseCycles: worstCase } = contention;
  const needed = { floor: floorCycles, ...(worstCase !== undefined && { worstCase }) };
  const deadline = judgeDeadline(target, profile, needed);
  const timed = {
    profile,
    deadline,
    latency,
    memory,
    energy,
    power,
    checked,
    contention: { runs: drawn.length, ...contention },
  };
  const written = { ...(trace !== undefined && { trace }), ...(output !== undefined && { output }) };
  if (input === undefined) return { ...timed, samples: 0, ...written };
  const graph = decodeRecord(artifact.sections.get("record") ?? new Uint8Array());
  const dataset = await openDataset({ npz: input }, process.cwd());
  try {
    const wanted: Wanted = new Map(artifact.manifest.inputs.map(({ name, ...type }) => [name, type]));
    checkInputs(dataset, wanted, "input");
    const toMs = (at: number) => (drawn[at % drawn.length] ?? contention.aloneCycles) / (target.clockGHz * 1e6);
    const { executor, seen } = socsOf(artifact, options.executor, target.profiles[profile], toMs);
    const columns = await runAll(dataset, wanted, graph, executor, options.signal);
    if (output !== undefined) writeFileAtomic(output, [encodeNpz(columns)]);
    const redundancy = seen?.();
    return { ...timed, samples: dataset.length, ...written, ...(redundancy && { redundancy }) };
  } finally {
    dataset.close();
  }
}

/** One SoC, or two that compare; `ms` gives the time of the n-th run that was drawn. */
function socsOf(
  artifact: SealedArtifact,
  kind: "machine" | "fast",
  profile: Profile | undefined,
  ms: (run: number) => number,
): { readonly executor: Executor; readonly seen?: () => Redundancy } {
  if (profile?.socs !== "redundant") return { executor: executorOf(kind, artifact) };
  const socs = [executorOf(kind, artifact), executorOf(kind, artifact)] as const;
  return redundantExecutor(socs, (frame) => [ms(2 * frame), ms(2 * frame + 1)], profile.skewMs);
}

function programOf({ sections }: SealedArtifact): Program {
  const section = (name: string) => sections.get(name) ?? new Uint8Array();
  return decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
}

/** Every output's values of all samples, the first axis counting them. */
async function runAll(dataset: Dataset, wanted: Wanted, graph: Graph, executor: Executor, signal?: AbortSignal) {
  const rows = new Map<string, Tensor[]>();
  const internal = new Set(graph.states.map(({ output }) => output));
  const confidence = confidenceOf(graph);
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
      // A threshold of escalation is a code.
      const real = tensor.quant === undefined || codes.name === confidence?.output ? tensor : dequantize(tensor);
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
