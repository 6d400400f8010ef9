/** Runs samples through the teacher and through the integer program of every calibration seed. */
import type { CertifyTask } from "../../../src/certify/task.ts";
import { openTeacher } from "../../../src/certify/teacher.ts";
import { type DataArray, type DataSpec, openDataset } from "../../../src/data/dataset.ts";
import { fitSample, type Wanted } from "../../../src/data/fit.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { loadMetric, type MetricSpec } from "../../../src/evidence/metric.ts";
import { dequantize } from "../../../src/ir/codes.ts";
import type { Tensor } from "../../../src/ir/graph.ts";
import { decodeRecord } from "../../../src/ir/record.ts";
import type { Recipe } from "../../../src/recipe.ts";
import type { SetUp } from "../../../src/run/pool.ts";
import { type Equal, equalAnswers } from "./agreement.ts";

export interface MeasureWork {
  readonly records: readonly Uint8Array[];
  readonly model: string;
  readonly inputs: Recipe["inputs"];
  readonly data: DataSpec;
  readonly folder: string;
  readonly wanted: Wanted;
  readonly metric: MetricSpec;
}

/** One sample's outcomes, those of the compiled models in the order of their records. */
export interface Measured {
  readonly group: string;
  readonly teacher: unknown;
  readonly compiled: readonly { readonly outcome: unknown; readonly equal: Equal }[];
}

export const setUp: SetUp<MeasureWork, CertifyTask, readonly Measured[]> = async (work) => {
  const dataset = await openDataset(work.data, work.folder);
  const metric = await loadMetric(work.metric, work.folder);
  const teacher = await openTeacher(work.model, work.inputs);
  const programs = work.records.map((record) => {
    const graph = decodeRecord(record);
    const internal = new Set(graph.states.map(({ output }) => output));
    return { internal, program: loadInteger(graph) };
  });
  return async ({ start, length }) => {
    const found: Measured[] = [];
    for (let index = start; index < start + length; index++) {
      // A sequence is one task, so its first sample is the task's.
      if (dataset.sequences === undefined || index === start) {
        teacher.reset();
        for (const { program } of programs) program.reset();
      }
      const sample = await dataset.read(index);
      const feeds = fitSample(sample, work.wanted) as ReadonlyMap<string, Tensor>;
      const floats = (await teacher.step(feeds)) as Map<string, DataArray>;
      const reference = metric.outcome(floats, sample.target);
      const compiled = programs.map(({ program, internal }) => {
        const reals = [...program.run(feeds)]
          .filter(([name]) => !internal.has(name))
          .map(([name, tensor]) => [name, real(tensor)] as const);
        const outcome = metric.outcome(new Map(reals), sample.target);
        return { outcome, equal: equalAnswers(metric, reference, outcome) };
      });
      found.push({ group: sample.group, teacher: reference, compiled });
    }
    return found;
  };
};

const real = (tensor: Tensor): DataArray => (tensor.quant === undefined ? tensor : dequantize(tensor)) as DataArray;
