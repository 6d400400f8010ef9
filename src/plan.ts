/** `build --dry-run`: what a build would do, without doing it. Nothing is written. */
import { cpus } from "node:os";
import { openBuildData, wantedOf } from "./build/data.ts";
import { openStages } from "./build/kept.ts";
import { passesOf } from "./build/passes.ts";
import { importTeacher, requireRunnable } from "./build/teacher.ts";
import { tryMetric } from "./build/try-metric.ts";
import { checkProfile } from "./certify/measure.ts";
import { openDataset } from "./data/dataset.ts";
import { checkInputs } from "./data/fit.ts";
import type { PassSpec } from "./pass.ts";
import type { Recipe } from "./recipe.ts";
import { formatCount } from "./report/table.ts";
import { outlookOf } from "./search/outlook.ts";
import { loadTarget } from "./target/load.ts";

export interface BuildPlan {
  readonly schema: "optimus-compile/plan@1";
  readonly recipe: string;
  readonly artifact: string;
  readonly target: string;
  readonly stages: readonly PlannedStage[];
  readonly passes: readonly string[];
  readonly samples: { readonly calibration: number; readonly selection: number; readonly certification: number };
  readonly teacher: { readonly nodes: number; readonly parameters: number; readonly macs: number };
  /** Rough: from multiplications and samples alone, whatever else the machine does. */
  readonly estimate: { readonly seconds: number; readonly bytes: number; readonly from: string };
}

export interface PlannedStage {
  readonly name: string;
  readonly says: string;
  /** Its result is kept from an earlier build, and will be taken from there. */
  readonly cached: boolean;
}

/**
 * Multiply-accumulates in a second of one worker, of the teacher in floats and of the integer program, and seconds that a
 * sample takes beside them: set so that the quick start's own CPU time comes out. Large convolutions are faster, small
 * layers slower; the estimate says that it is one.
 */
const FLOAT_MACS = 40e9;
const INTEGER_MACS = 20e9;
const PER_SAMPLE = 0.0003;
/** Calibration looks at each sample in several passes: equalizing, ranges, bias correction. */
const LOOKS = 4;
const START = 2;
const BASE_BYTES = 250 * 2 ** 20;
const COPIES = 6;

/** Reads recipe, model and data, as a build would first; throws what a build throws until then. */
export async function planBuild(recipe: Recipe, { cache }: { readonly cache?: string } = {}): Promise<BuildPlan> {
  const target = loadTarget(recipe.target);
  checkProfile(target, recipe.profile);
  const passes = passesOf(recipe, target);
  const teacher = await importTeacher(recipe);
  requireRunnable(recipe, teacher);
  const data = await openBuildData(recipe, teacher.graph);
  const certification = await openDataset(recipe.data.certification, recipe.folder);
  try {
    const wanted = wantedOf(teacher.graph);
    checkInputs(certification, wanted, "certification");
    await tryMetric(recipe, wanted);
    const { length } = certification;
    const used = Math.min(data.calibration.size, recipe.quantize.samples);
    const macs = teacher.size.macs ?? 0;
    const cached = openStages(recipe, target, cache === undefined ? {} : { cache }).isLowered(teacher, data);
    const calibrating = cached ? 0 : used * LOOKS * (macs / FLOAT_MACS + PER_SAMPLE);
    const search = recipe.goal && outlookOf(recipe.goal, teacher.graph, data.data.get("selection")?.size ?? 0);
    const judging = (length * (macs / FLOAT_MACS + macs / INTEGER_MACS + PER_SAMPLE)) / recipe.jobs;
    const each = macs / FLOAT_MACS + PER_SAMPLE;
    const selection = data.data.get("selection")?.size ?? 0;
    const searching = search
      ? (search.floatRuns * each + search.builds * selection * (each + macs / INTEGER_MACS)) / recipe.jobs +
        search.builds * calibrating
      : 0;
    const samples = {
      calibration: data.calibration.size,
      selection: data.data.get("selection")?.size ?? 0,
      certification: length,
    };
    return {
      schema: "optimus-compile/plan@1",
      recipe: recipe.file,
      artifact: `${recipe.out}/${recipe.name}.dopt`,
      target: `${target.name}, profile ${recipe.profile}`,
      stages: [
        {
          name: "import",
          says: `${formatCount(teacher.size.nodes)} nodes, ${formatCount(teacher.size.parameters)} parameters`,
          cached: false,
        },
        {
          name: "data",
          says: `${samples.calibration} calibration, ${samples.selection} selection samples`,
          cached: false,
        },
        ...(search ? [{ name: "search", says: search.says, cached: false }] : []),
        {
          name: "passes",
          says: `${passes.flatMap(namesOf).length} passes, ranges from ${used} samples${formatsSay(recipe)}`,
          cached,
        },
        { name: "schedule", says: `for ${recipe.npus} of ${target.npus} NPUs`, cached: false },
        { name: "seal", says: recipe.key === undefined ? "unsigned" : "signed with the build's key", cached: false },
        {
          name: "certify",
          says: `${formatCount(length)} samples, teacher and program, by ${recipe.jobs} workers`,
          cached: false,
        },
      ],
      passes: passes.flatMap(namesOf),
      samples,
      teacher: { nodes: teacher.size.nodes, parameters: teacher.size.parameters, macs },
      estimate: {
        seconds: round(START + calibrating + judging + searching),
        bytes: Math.round(BASE_BYTES * (1 + recipe.jobs / 4) + COPIES * teacher.bytes),
        from: `${formatCount(macs)} multiply-accumulates, ${used} + ${formatCount(length)} samples, ${recipe.jobs} workers on ${cpus()[0]?.model.trim() ?? "this CPU"}`,
      },
    };
  } finally {
    certification.close();
    data.close();
  }
}

/** Two digits: it is no more than an estimate. */
const round = (seconds: number): number => Number(seconds.toPrecision(2));

/** Bits of weights and of what layers read, where they are not 8. */
function formatsSay({ goal, quantize: { weights, activations, formats } }: Recipe): string {
  if (goal !== undefined) return "";
  const names = [`W${weights.slice(3)}A${activations.slice(3)}`, ...Object.values(formats)];
  const found = [...new Set(names)];
  return found.length === 1 && found[0] === "W8A8" ? "" : `, layers in ${found.join(", ")}`;
}

function namesOf(spec: PassSpec): string[] {
  if (typeof spec === "string") return [spec];
  if ("repeat" in spec) return (spec.repeat as readonly PassSpec[]).flatMap(namesOf);
  return [spec.pass as string];
}

export function planText({ artifact, target, stages, passes, estimate }: BuildPlan): string {
  const lines = stages.map(
    ({ name, says, cached }) => `  ${name.padEnd(9)} ${says}${cached ? " (kept from an earlier build)" : ""}`,
  );
  return [
    `would write ${artifact}, for ${target}`,
    "",
    ...lines,
    "",
    `  ${passes.length} passes, from ${passes[0] ?? "none"} to ${passes.at(-1) ?? "none"}; --json lists them`,
    "",
    `estimate: ${estimate.seconds} s and ${Math.round(estimate.bytes / 2 ** 20)} MiB of memory`,
    `  from ${estimate.from}`,
    "  What is kept from earlier builds makes it shorter, a busy machine longer.",
    "Nothing was written.",
    "",
  ].join("\n");
}
