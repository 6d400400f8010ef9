/** The straight line, one stage after the other: import → passes → schedule → seal → certify. */
import { readPrivateKey } from "./artifact/keys.ts";
import { certifyApart } from "./build/certifier.ts";
import { requirePossible, requireSafe } from "./build/check.ts";
import { openBuildData } from "./build/data.ts";
import { documentOf, type Made, notesOf } from "./build/document.ts";
import { writeDraft } from "./build/draft.ts";
import { makeGolden } from "./build/golden.ts";
import { licensesOf, requireLicenses } from "./build/licenses.ts";
import { lowerTeacher } from "./build/lower.ts";
import { passesOf } from "./build/passes.ts";
import { type StageWatch, watchStages } from "./build/resource.ts";
import { scheduleGraph } from "./build/schedule.ts";
import { lineageOf, manifestOf, seal } from "./build/seal.ts";
import { importTeacher } from "./build/teacher.ts";
import { checkProfile } from "./certify/measure.ts";
import { decodeRecord, encodeRecord } from "./ir/record.ts";
import type { Recipe } from "./recipe.ts";
import type { BuildDocument, BuildNotes } from "./report/build-document.ts";
import { loadTarget } from "./target/load.ts";

export const STAGES = ["import", "data", "passes", "schedule", "seal", "certify"] as const;

export interface BuildOptions {
  /** What was set over the recipe, for the certifier, who reads the recipe itself. */
  readonly settings?: readonly string[];
  readonly signal?: AbortSignal;
  readonly progress?: { stage(name: string): void; detail(text: string): void; warn(text: string): void };
}

export interface BuildResult {
  readonly document: BuildDocument;
  readonly notes: BuildNotes;
}

/** Builds what the recipe says. Throws CompileError, or the signal's reason; then nothing is left behind. */
export async function build(recipe: Recipe, options: BuildOptions = {}): Promise<BuildResult> {
  const { signal, progress, settings = [] } = options;
  const watch = watchStages();
  const made = await make(recipe, options, watch);
  const draft = writeDraft(recipe.out, recipe.name, made.sealed);
  try {
    await enter("certify", options, watch);
    const judged = await certifyApart(draft.path, recipe, {
      settings,
      ...(signal && { signal }),
      onProgress: (done, of) => progress?.detail(`${done} of ${of} samples`),
      onWarning: (text) => progress?.warn(text),
    });
    watch.child(judged.peakRssBytes);
    const artifact = draft.publish();
    const parts = { ...made, recipe, artifact, judged, stages: watch.end() };
    return { document: documentOf(parts), notes: notesOf(parts) };
  } finally {
    draft.discard();
  }
}

/** Everything but the judgement: the artifact as it is sealed, with the build's signature where the recipe has a key. */
export async function make(recipe: Recipe, options: BuildOptions = {}, watch = watchStages()): Promise<Made> {
  const target = loadTarget(recipe.target);
  checkProfile(target, recipe.profile);
  // A mistyped pass shows before anything is read.
  passesOf(recipe, target);
  requireLicenses(recipe, licensesOf(recipe));
  const key = recipe.key === undefined ? undefined : readPrivateKey(recipe.key);

  await enter("import", options, watch);
  const teacher = await importTeacher(recipe);

  await enter("data", options, watch);
  const data = await openBuildData(recipe, teacher.graph);

  await enter("passes", options, watch);
  const compiled = await lowerTeacher(recipe, target, teacher.graph, data, options);

  await enter("schedule", options, watch);
  // From here on only what the record holds counts: whoever has the record can do the rest again.
  const record = encodeRecord(compiled.graph);
  const integer = decodeRecord(record);
  const limits = {
    allowCpu: recipe.allowCpu,
    npus: recipe.npus,
    ...(recipe.gates.maxSramBytes && { sramBytes: recipe.gates.maxSramBytes }),
  };
  requirePossible(integer, target, recipe.profile);
  const scheduled = scheduleGraph(integer, target, limits);
  requireSafe(scheduled.sections, integer, target, recipe.profile);

  await enter("seal", options, watch);
  const golden = await makeGolden(integer, scheduled.sections, data.calibration);
  data.close();
  const lineage = lineageOf(recipe, target, {
    teacher: teacher.lineage,
    data: data.lineage,
    passes: compiled.log,
    imported: teacher.graph,
    integer,
    record,
  });
  const manifest = manifestOf(teacher.graph, target, recipe.profile);
  const sealed = await seal({
    manifest,
    sections: { ...scheduled.sections, record, golden },
    lineage,
    ...(key && { key }),
  });
  return { target, teacher, compiled, integer, scheduled, sealed };
}

/** A stage begins: the screen is drawn, and who wants to stop the build can. */
async function enter(
  stage: (typeof STAGES)[number],
  { progress, signal }: BuildOptions,
  watch: StageWatch,
): Promise<void> {
  watch.begin(stage);
  progress?.stage(stage);
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}
