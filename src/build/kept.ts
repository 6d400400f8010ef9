import { createHash } from "node:crypto";
import { toJson } from "../artifact/canonical.ts";
import { sha256 } from "../artifact/container.ts";
import { type Cache, openCache } from "../cache/store.ts";
import { targetDigest } from "../certify/measure.ts";
import type { Graph } from "../ir/graph.ts";
import { encodeRecord } from "../ir/record.ts";
import type { PassRecord } from "../passes.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { toolFacts } from "../tool.ts";
import { requirePossible, requireSafe } from "./check.ts";
import type { BuildData } from "./data.ts";
import { type LayerErrors, layerErrorsOf } from "./errors.ts";
import { makeGolden } from "./golden.ts";
import { type LowerOptions, lowerTeacher } from "./lower.ts";
import { passesOf } from "./passes.ts";
import { type ScheduledSections, scheduleGraph } from "./schedule.ts";
import type { ImportedTeacher } from "./teacher.ts";

/** What the passes make of a teacher: all that follows needs the record alone. */
export interface Lowered {
  readonly record: Uint8Array;
  readonly log: readonly PassRecord[];
}

export type Planned = Pick<ScheduledSections, "stats" | "sections">;

/** The stages that take long, each run once for everything that it depends on: content, options, and the program itself. */
export interface Stages {
  /** The stages so far whose results were there already. */
  readonly kept: readonly string[];
  /** Whether the passes need not run. */
  isLowered(teacher: ImportedTeacher, data: BuildData): boolean;
  lower(teacher: ImportedTeacher, data: BuildData): Promise<Lowered>;
  schedule(record: Uint8Array, integer: Graph): Promise<Planned>;
  golden(record: Uint8Array, integer: Graph, planned: Planned, data: BuildData): Promise<Uint8Array>;
  errors(
    teacher: ImportedTeacher,
    record: Uint8Array,
    integer: Graph,
    golden: Uint8Array,
  ): Promise<LayerErrors | undefined>;
}

export interface StagesOptions extends LowerOptions {
  /** The cache's folder; every stage runs where there is none. */
  readonly cache?: string;
}

export function openStages(recipe: Recipe, target: Target, options: StagesOptions): Stages {
  const { cache: folder, progress } = options;
  const cache: Cache = openCache(folder, { warn: (text) => progress?.warn(text) });
  const { numerics } = factsOf(folder);
  const chip = chipDepends(recipe, target, folder);
  const kept: string[] = [];
  const through = async <T>(stage: string, depends: object, make: () => T | Promise<T>): Promise<T> => {
    const { value, cached } = await cache.through(stage, depends, make);
    if (cached) kept.push(stage);
    return value;
  };
  const lowering = (teacher: ImportedTeacher, data: BuildData) =>
    loweringDepends(recipe, target, teacher, data, folder);
  return {
    kept,
    isLowered: (teacher, data) => cache.get("passes", lowering(teacher, data)) !== undefined,
    async lower(teacher, data) {
      const { warnings, ...lowered } = await through("passes", lowering(teacher, data), () =>
        lower(recipe, target, teacher.graph, data, options),
      );
      for (const text of warnings) progress?.warn(text);
      return lowered;
    },
    async schedule(record, integer) {
      const limits = {
        allowCpu: recipe.allowCpu,
        npus: recipe.npus,
        ...(recipe.gates.maxSramBytes && { sramBytes: recipe.gates.maxSramBytes }),
      };
      return await through("schedule", { ...chip, record: sha256(record), limits }, () => {
        requirePossible(integer, target, recipe.profile);
        const { stats, sections } = scheduleGraph(integer, target, limits);
        requireSafe(sections, integer, target, recipe.profile);
        return { stats, sections };
      });
    },
    async golden(record, integer, { sections }, data) {
      const program = Object.values(sections).map((bytes: Uint8Array) => sha256(bytes));
      const depends = { ...chip, record: sha256(record), program, samples: samplesOf(data).calibration };
      return await through("golden", depends, () => makeGolden(integer, sections, data.calibration));
    },
    async errors(teacher, record, integer, golden) {
      const sealed = { record: sha256(record), golden: sha256(golden) };
      const depends = { ...chip, numerics, ...importDepends(recipe, teacher), ...sealed };
      const warn = (text: string) => progress?.warn(text);
      return await through("errors", depends, () => layerErrorsOf(teacher.graph, integer, golden, warn));
    },
  };
}

const NOTHING = { compiler: undefined, emulator: undefined, numerics: undefined };
const factsOf = (folder: string | undefined) => (folder === undefined ? NOTHING : toolFacts());

function chipDepends(recipe: Recipe, target: Target, folder: string | undefined) {
  const { compiler, emulator } = factsOf(folder);
  return { tool: { compiler, emulator }, target: targetDigest(target), profile: recipe.profile };
}

/** All that decides what passes make of a teacher, for a cache in `folder`. */
export function loweringDepends(
  recipe: Recipe,
  target: Target,
  teacher: ImportedTeacher,
  data: BuildData,
  folder: string | undefined,
): object {
  return {
    ...chipDepends(recipe, target, folder),
    numerics: factsOf(folder).numerics,
    ...importDepends(recipe, teacher),
    ...passesDepend(recipe, target, data),
  };
}

/** The teacher's own bytes, and what the recipe binds in it. */
const importDepends = ({ inputs, dims }: Recipe, { lineage }: ImportedTeacher) => ({ teacher: lineage, inputs, dims });

function passesDepend(recipe: Recipe, target: Target, data: BuildData) {
  const { seed, check } = recipe;
  return { passes: passesOf(recipe, target), seed, check, samples: samplesOf(data) };
}

/** Of every split the samples' content, in order, and the sequences that they belong to. */
function samplesOf({ lineage, calibration, data }: BuildData) {
  const sequences = ({ size, sequence }: BuildData["calibration"]) => {
    if (sequence === undefined) return undefined;
    const hash = createHash("sha256");
    for (let index = 0; index < size; index++) hash.update(`${JSON.stringify(sequence(index))}\n`);
    return hash.digest("hex");
  };
  const selection = data.get("selection");
  return {
    calibration: { content: lineage.calibration.digest, sequences: sequences(calibration) },
    ...(selection && { selection: { content: lineage.selection?.digest, sequences: sequences(selection) } }),
  };
}

async function lower(recipe: Recipe, target: Target, teacher: Graph, data: BuildData, options: StagesOptions) {
  const warnings: string[] = [];
  const progress = {
    detail: (text: string) => options.progress?.detail(text),
    warn: (text: string) => warnings.push(text),
  };
  const { graph, log } = await lowerTeacher(recipe, target, teacher, data, { ...options, progress });
  const plain = log.map(({ options: given, ...rest }) => ({ ...rest, options: toJson(given ?? {}) }));
  return { record: encodeRecord(graph), log: plain, warnings };
}
