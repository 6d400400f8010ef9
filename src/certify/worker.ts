/** One thread of a certification: runs the teacher and the integer program over samples and keeps each outcome. */
import { type DataArray, type Dataset, openDataset, type Sample } from "../data/dataset.ts";
import { checkInputs, fitSample, type Wanted } from "../data/fit.ts";
import { type IntegerProgram, loadInteger } from "../emulate/integer.ts";
import { answerProbability, divergence } from "../evidence/calibration.ts";
import type { SampleRecord } from "../evidence/evaluate.ts";
import { loadMetric, type Metric } from "../evidence/metric.ts";
import { dequantize } from "../ir/codes.ts";
import { confidenceOf } from "../ir/confidence.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { decodeRecord } from "../ir/record.ts";
import type { SetUp } from "../run/pool.ts";
import { contentOf } from "./kept.ts";
import type { CertifyAnswer, CertifyTask, CertifyWork } from "./task.ts";
import { openTeacher, type Teacher } from "./teacher.ts";

interface Bench {
  readonly dataset: Dataset;
  readonly graph: Graph;
  readonly wanted: Wanted;
  readonly program: IntegerProgram;
  readonly teacher: Teacher;
  readonly metric: Metric;
}

/** Opens everything once a worker. */
export const setUp: SetUp<CertifyWork, CertifyTask, CertifyAnswer> = async (work) => {
  const dataset = await openDataset(work.data, work.folder);
  checkInputs(dataset, work.wanted, "certification");
  const graph = decodeRecord(work.record);
  const bench: Bench = {
    dataset,
    graph,
    wanted: work.wanted,
    program: loadInteger(graph),
    teacher: await openTeacher(work.model, work.inputs),
    metric: await loadMetric(work.metric, work.folder),
  };
  return (task) => runTask(bench, task);
};

async function runTask(bench: Bench, { start, length }: CertifyTask): Promise<CertifyAnswer> {
  const { dataset, program, teacher } = bench;
  const streaming = dataset.sequences !== undefined;
  const records: SampleRecord[] = [];
  const hashes: string[] = [];
  const contents: string[] = [];
  for (let index = start; index < start + length; index++) {
    // A sequence is one task, so its first sample is the task's.
    if (!streaming || index === start) {
      program.reset();
      teacher.reset();
    }
    const sample = await dataset.read(index);
    records.push(await judgeOne(bench, sample));
    hashes.push(sample.hash);
    contents.push(contentOf(sample));
  }
  return { records, hashes, contents };
}

async function judgeOne({ graph, wanted, program, teacher, metric }: Bench, sample: Sample): Promise<SampleRecord> {
  const feeds = fitSample(sample, wanted) as ReadonlyMap<string, Tensor>;
  const floats = (await teacher.step(feeds)) as Map<string, DataArray>;
  const codes = program.run(feeds);
  const own = [...graph.states, ...[confidenceOf(graph) ?? []].flat()];
  const internal = new Set(own.map(({ output }) => output));
  const reals = new Map<string, DataArray>();
  for (const [name, tensor] of codes) if (!internal.has(name)) reals.set(name, real(tensor));
  return {
    id: sample.id,
    group: sample.group,
    ...(sample.sequence !== undefined && { sequence: sample.sequence }),
    slices: Object.fromEntries(sample.slices),
    teacher: metric.outcome(floats, sample.target),
    compiled: metric.outcome(reals, sample.target),
    confidence: { teacher: metric.confidence(floats), compiled: metric.confidence(reals) },
    ...marginOf(graph, codes),
    ...distributions(metric, floats, reals),
  };
}

/** What the program itself said; read, not computed. */
function marginOf(graph: Graph, codes: ReadonlyMap<string, Tensor>): Pick<SampleRecord, "margin"> {
  const { output } = confidenceOf(graph) ?? {};
  const tensor = output === undefined ? undefined : codes.get(output);
  return tensor ? { margin: Number(decode(tensor)[0]) } : {};
}

function distributions(
  metric: Metric,
  floats: ReadonlyMap<string, DataArray>,
  reals: ReadonlyMap<string, DataArray>,
): Pick<SampleRecord, "probability" | "divergence"> {
  if (!metric.scores) return {};
  const [teacher, compiled] = [metric.scores(floats), metric.scores(reals)];
  const apart = divergence(teacher, compiled);
  return {
    probability: { teacher: answerProbability(teacher), compiled: answerProbability(compiled) },
    ...(!Number.isNaN(apart) && { divergence: apart }),
  };
}

function real(tensor: Tensor): DataArray {
  return (tensor.quant === undefined ? tensor : dequantize(tensor)) as DataArray;
}
