/** `explain ARTIFACT`: which layers take its answers away from the teacher's, and what was tried against it. */
import type { SealedArtifact } from "../artifact/container.ts";
import { readArtifact } from "../artifact/file.ts";
import { decodeLineage, type Lineage } from "../artifact/lineage.ts";
import { openBuildData, wantedOf } from "../build/data.ts";
import { openStages, type StagesOptions } from "../build/kept.ts";
import { importTeacher } from "../build/teacher.ts";
import { CompileError } from "../error.ts";
import { decodeRecord } from "../ir/record.ts";
import type { Recipe } from "../recipe.ts";
import { costOfGraph, type PlanCost } from "../search/costs.ts";
import { prepare } from "../search/graphs.ts";
import { type Judgement, judgeRecord } from "../search/judge.ts";
import { FORMAT_NAMES, type FormatName } from "../search/layers.ts";
import { selectionSamples } from "../search/samples.ts";
import { referencesOf } from "../search/trial.ts";
import { loadTarget } from "../target/load.ts";
import { type Diagnosed, type DiagnosedLayer, diagnoseLayers } from "./layers.ts";
import { flipsOf } from "./predict.ts";
import { both, type Patch, patched, patchText, type Remedy, remediesFor } from "./remedies.ts";

export interface DiagnoseOptions extends StagesOptions {
  /** Selection samples that layers are tried on one by one. */
  readonly samples: number;
  /** Layers and values that remedies are tried for. */
  readonly top: number;
  /** Remedies, alone and together, that are built and measured, at most. */
  readonly tries: number;
}

/** How good an artifact is, or what a remedy makes of it, on all selection samples. */
export interface Standing extends Judgement {
  readonly ms: number;
  readonly weightBytes: number;
}

export interface TriedRemedy {
  readonly what: string;
  readonly about: readonly string[];
  /** Of agreement with the teacher, from the worst layers alone in the float model. */
  readonly predicted?: number;
  /** Gains where positive. Absent where it was not built: of the metric in its units, of agreement as a share of answers. */
  readonly measured?: { readonly agreement: number; readonly metric: number };
  /** Microseconds more for one inference, as scheduled. */
  readonly microseconds?: number;
  /** Why it could not be built. */
  readonly failed?: string;
}

export interface Diagnosis {
  readonly schema: "optimus-compile/diagnosis@1";
  readonly artifact: string;
  readonly digest: string;
  readonly now: Standing;
  /** The worst first. */
  readonly layers: readonly DiagnosedLayer[];
  readonly remedies: readonly TriedRemedy[];
  /** The best that was found, where anything helped. */
  readonly best?: {
    readonly remedies: readonly string[];
    readonly standing: Standing;
    readonly microseconds: number;
    /** What `build --patch` takes. */
    readonly patch: string;
  };
}

/**
 * @param recipe the one that the artifact was built from
 * Throws trust/other-teacher, usage/goal-selection where there is no data to judge by, and what a build throws.
 */
export async function diagnose(path: string, recipe: Recipe, options: DiagnoseOptions): Promise<Diagnosis> {
  const { progress, signal } = options;
  const artifact = readArtifact(path);
  const lineage = decodeLineage(artifact.sections.get("lineage"));
  if (lineage.recipe.digest !== recipe.digest) progress?.warn(OTHER_RECIPE);
  const own = asBuilt(recipe, lineage);
  const target = loadTarget(own.target);
  const teacher = await importTeacher(own);
  requireTeacher(recipe, lineage, teacher.lineage.digest);
  const data = await openBuildData(own, teacher.graph, options);
  try {
    requireSelection(data.data.get("selection")?.size ?? 0);
    const prepared = await prepare(own, target, teacher.graph, data, signal);
    const references = await referencesOf(
      prepared.graph,
      selectionSamples(own, prepared.graph, options.samples),
      signal,
    );
    const bench = { references, states: prepared.graph.states, metric: own.metric, folder: own.folder };
    const record = decodeRecord(artifact.sections.get("record") ?? new Uint8Array());
    const found = await diagnoseLayers(prepared, teacher.graph, record, bench, {
      jobs: own.jobs,
      progress: (done, of) => progress?.detail(`layers one by one: ${done} of ${of}`),
      ...(signal && { signal }),
    });
    const judge = (bytes: Uint8Array) =>
      judgeRecord(own, bytes, wantedOf(teacher.graph), {
        progress: (done, of) => progress?.detail(`selection samples: ${done} of ${of}`),
        ...(signal && { signal }),
      });
    const now = standingOf(await judge(recordBytes(artifact)), costOfGraph(record, own, target));
    const build = async (patch: Patch): Promise<Standing> => {
      const changed = patched(own, patch);
      const lowered = await openStages(changed, target, options).lower(teacher, data);
      return standingOf(await judge(lowered.record), costOfGraph(decodeRecord(lowered.record), changed, target));
    };
    const worst = found.culprits.slice(0, options.top).filter((_, at) => found.lines[at].distance > 0);
    const alone = { jobs: own.jobs, ...(signal && { signal }) };
    const before = await flipsOf(prepared, worst, bench, alone);
    const predict = async (remedy: Remedy): Promise<number | undefined> => {
      if (remedy.about.length > 0) return predictedOf(remedy, found);
      const changed = await prepare(patched(own, remedy.patch), target, teacher.graph, data, signal);
      return before - (await flipsOf(changed, worst, bench, alone));
    };
    const trial = { recipe: own, hasGoal: recipe.goal !== undefined, now, build, predict };
    const tried = await tryRemedies(remediesFor(own, worst), trial, options);
    return {
      schema: "optimus-compile/diagnosis@1",
      ...{ artifact: path, digest: artifact.digest, now, layers: found.lines },
      ...tried,
    };
  } finally {
    data.close();
  }
}

const OTHER_RECIPE =
  "the recipe is not, or not with these settings, what the artifact was built from: remedies are changes to the recipe as it is";

const recordBytes = ({ sections }: SealedArtifact): Uint8Array => sections.get("record") ?? new Uint8Array();

/** With the formats that its goal came to. */
function asBuilt({ goal, ...recipe }: Recipe, { search }: Lineage): Recipe {
  if (goal === undefined || search === undefined) return recipe;
  const formats = Object.entries(search.formats).filter((entry): entry is [string, FormatName] =>
    FORMAT_NAMES.some((name) => name === entry[1]),
  );
  return { ...recipe, quantize: { ...recipe.quantize, formats: Object.fromEntries(formats) } };
}

function requireTeacher({ model }: Recipe, { teacher }: Lineage, digest: string): void {
  if (teacher.digest === digest) return;
  throw new CompileError("trust/other-teacher", "the recipe's teacher is not the one that the artifact was made from", {
    where: `${model}: ${digest}, wanted ${teacher.digest}`,
    remedy: "Give the recipe that the artifact was built with.",
  });
}

function requireSelection(size: number): void {
  if (size > 0) return;
  throw new CompileError("usage/goal-selection", "remedies are judged on selection data, and the recipe gives none", {
    where: "data.selection",
    remedy: "add data.selection: labelled samples that are neither calibration nor certification data",
  });
}

const standingOf = (judgement: Judgement, { ms, weightBytes }: PlanCost): Standing => ({
  ...judgement,
  ms,
  weightBytes,
});

interface Trial {
  readonly recipe: Recipe;
  readonly hasGoal: boolean;
  readonly now: Standing;
  readonly build: (patch: Patch) => Promise<Standing>;
  readonly predict: (remedy: Remedy) => Promise<number | undefined>;
}

/** First each remedy alone, then the best ones together for as long as that helps. */
async function tryRemedies(
  remedies: readonly Remedy[],
  { recipe, hasGoal, now, build, predict }: Trial,
  { tries, progress }: DiagnoseOptions,
): Promise<Pick<Diagnosis, "remedies" | "best">> {
  const measured: { readonly remedy: Remedy; readonly line: TriedRemedy; readonly standing?: Standing }[] = [];
  // Some are kept for putting remedies together.
  const alone = Math.max(1, tries - Math.ceil(tries / 4));
  for (const [at, remedy] of remedies.entries()) {
    const { what, about } = remedy;
    progress?.detail(`remedy ${at + 1} of ${remedies.length}: ${nameOf(remedy)}`);
    const predicted = await predict(remedy);
    const line = { what, about, ...(predicted !== undefined && { predicted }) };
    measured.push({ remedy, ...(at < alone ? await measuredOf(line, remedy.patch, now, build) : { line }) });
  }
  const ranked = measured
    .filter(({ standing }) => standing !== undefined && gainOf(now, standing) > 0)
    .sort((a, b) => gainOf(now, b.standing ?? now) - gainOf(now, a.standing ?? now));
  const lines = measured.map(({ line }) => line);
  const [first, ...others] = ranked;
  if (first?.standing === undefined) return { remedies: lines };
  let best = { names: [nameOf(first.remedy)], patch: first.remedy.patch, standing: first.standing };
  let left = tries - Math.min(alone, remedies.length);
  for (const { remedy } of others) {
    if (left === 0) break;
    const patch = both(best.patch, remedy.patch);
    // What the better one says already.
    if (JSON.stringify(patched(recipe, patch)) === JSON.stringify(patched(recipe, best.patch))) continue;
    left--;
    const names = [...best.names, nameOf(remedy)];
    const { line, standing } = await measuredOf({ what: names.join(" and "), about: [] }, patch, now, build);
    lines.push(line);
    if (standing && gainOf(best.standing, standing) > 0) best = { names, patch, standing };
  }
  const says = [
    `${percent(best.standing.agreement)} of the teacher's answers instead of ${percent(now.agreement)},`,
    `on ${now.samples} selection samples: ${best.names.join("; ")}`,
  ];
  const text = patchText(recipe, best.patch, says, hasGoal);
  return {
    remedies: lines,
    best: {
      remedies: best.names,
      standing: best.standing,
      microseconds: 1000 * (best.standing.ms - now.ms),
      patch: text,
    },
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const nameOf = ({ what, about }: Remedy): string => (about.length === 0 ? what : `${what}: ${about.join(", ")}`);

/** By agreement first, which noise disturbs less; the metric decides between equals. */
function gainOf(before: Standing, after: Standing): number {
  const gain = after.agreement - before.agreement;
  return gain !== 0 ? gain : Math.max(0, before.drop - after.drop) * 1e-3;
}

/** Of remedies for single layers: the answers that the layer's own format alone changes, less those that the wider one does. */
function predictedOf({ about: [name], patch }: Remedy, { culprits, lines, otherwise }: Diagnosed): number | undefined {
  const at = culprits.findIndex((culprit) => culprit.name === name);
  if (at < 0) return undefined;
  const format = Object.values(patch.quantize.formats ?? {}).at(0);
  if (format === undefined) return lines[at].flips;
  const after = otherwise[at][format]?.changed;
  return after === undefined ? undefined : lines[at].flips - after;
}

async function measuredOf(line: TriedRemedy, patch: Patch, now: Standing, build: (patch: Patch) => Promise<Standing>) {
  try {
    const standing = await build(patch);
    const measured = { agreement: standing.agreement - now.agreement, metric: now.drop - standing.drop };
    return { line: { ...line, measured, microseconds: 1000 * (standing.ms - now.ms) }, standing };
  } catch (error) {
    if (!(error instanceof CompileError) || !/^(model|usage)\//.test(error.code)) throw error;
    return { line: { ...line, failed: error.message } };
  }
}
