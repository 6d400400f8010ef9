/** The straight line, one stage after the other: import → passes → schedule → seal → certify. */
import { readPrivateKey } from "./artifact/keys.ts";
import { certifyApart } from "./build/certifier.ts";
import { openBuildData, wantedOf } from "./build/data.ts";
import { documentOf, type Made, notesOf } from "./build/document.ts";
import { writeDraft } from "./build/draft.ts";
import { openStages } from "./build/kept.ts";
import { licensesOf, requireLicenses } from "./build/licenses.ts";
import { checkLock, lockOf, lockPath, writeLock } from "./build/lock.ts";
import { passesOf } from "./build/passes.ts";
import { type StageWatch, watchStages } from "./build/resource.ts";
import { lineageOf, manifestOf, seal } from "./build/seal.ts";
import { importTeacher, requireRunnable } from "./build/teacher.ts";
import { tryMetric } from "./build/try-metric.ts";
import { checkProfile, targetDigest } from "./certify/measure.ts";
import { decodeRecord } from "./ir/record.ts";
import type { Recipe } from "./recipe.ts";
import type { BuildDocument, BuildNotes } from "./report/build-document.ts";
import { searchFormats } from "./search/search.ts";
import { loadTarget } from "./target/load.ts";
import { toolFacts } from "./tool.ts";

export const STAGES = ["import", "data", "passes", "schedule", "seal", "certify"] as const;

export interface BuildOptions {
  /** What was set over the recipe, for the certifier, who reads the recipe itself. */
  readonly settings?: readonly string[];
  /** Ends the build within a step or a batch of samples; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** The folder that stages are kept in, so that an unchanged one is not run again; absent: all run, nothing is kept. */
  readonly cache?: string;
  /** `optimus.lock` beside the recipe: written after the build, or checked before anything is computed. */
  readonly lock?: "write" | "check";
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
      ...(options.cache !== undefined && { cache: options.cache }),
      ...(signal && { signal }),
      onProgress: (done, of) => progress?.detail(`${done} of ${of} samples`),
      onWarning: (text) => progress?.warn(text),
    });
    watch.child(judged.peakRssBytes);
    const artifact = draft.publish();
    if (options.lock === "write") writeLock(lockPath(recipe), recipe.name, made.locked);
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
  const stages = openStages(recipe, target, options);

  await enter("import", options, watch);
  const teacher = await importTeacher(recipe);
  requireRunnable(recipe, teacher);

  await enter("data", options, watch);
  const data = await openBuildData(recipe, teacher.graph, options);
  const tool = toolFacts().compiler;
  const locked = lockOf({ teacher: teacher.lineage, data: data.lineage, target: targetDigest(target), tool });
  if (options.lock === "check") checkLock(lockPath(recipe), recipe.name, locked);

  if (!stages.isLowered(teacher, data)) await tryMetric(recipe, wantedOf(teacher.graph));

  await enter("passes", options, watch);
  const found = recipe.goal && (await searchFormats(recipe, target, teacher, data, options));
  const lowered = found?.lowered ?? (await stages.lower(teacher, data));

  await enter("schedule", options, watch);
  // From here on only what the record holds counts: whoever has the record can do the rest again.
  const { record } = lowered;
  const integer = decodeRecord(record);
  const scheduled = await stages.schedule(record, integer);

  await enter("seal", options, watch);
  const golden = await stages.golden(record, integer, scheduled, data);
  data.close();
  const errors = await stages.errors(teacher, record, integer, golden);
  const lineage = lineageOf(recipe, target, {
    teacher: teacher.lineage,
    data: data.lineage,
    passes: lowered.log,
    imported: teacher.graph,
    integer,
    record,
    ...(errors && { errors }),
    ...(found && { search: found.record }),
  });
  const manifest = manifestOf(teacher.graph, integer, target, recipe.profile);
  const sealed = await seal({
    manifest,
    sections: { ...scheduled.sections, record, golden },
    lineage,
    ...(key && { key }),
  });
  const searched = found && { search: found.record };
  return { target, teacher, lowered, integer, scheduled, sealed, kept: stages.kept, locked, ...searched };
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
