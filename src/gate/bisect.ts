/** Which input moved a figure between two artifacts: by what their lineages say, and by building with one input exchanged. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeLineage, type Lineage } from "../artifact/lineage.ts";
import { CompileError } from "../error.ts";
import { GATES, type GateName, type Measured } from "../evidence/gates.ts";
import type { Recipe } from "../recipe.ts";
import { didYouMean } from "../suggest.ts";
import { FIGURES } from "./diff.ts";
import type { Evidence } from "./evidence.ts";

/** What of an artifact's making differs. */
export interface Suspect {
  readonly input: Input;
  /** What it is in each, in words or digests. */
  readonly before: string;
  readonly after: string;
}

export const INPUTS = ["teacher", "data", "passes", "options", "target", "version"] as const;
export type Input = (typeof INPUTS)[number];

export interface Trial {
  /** Of the second recipe's, in the first one. */
  readonly input: Input;
  readonly value: number;
}

export interface BisectDocument {
  readonly schema: "optimus-compile/bisect@1";
  readonly figure: string;
  readonly before?: number;
  readonly after?: number;
  readonly suspects: readonly Suspect[];
  /** The first pass whose result differs, where the lineages tell. */
  readonly firstPass?: string;
  readonly trials: readonly Trial[];
  /** The one input that moved the figure; absent where none or several could have. */
  readonly culprit?: Input;
  readonly says: string;
}

const SAMPLED: Readonly<Record<string, (measured: Measured) => number | undefined>> = {
  metric: GATES.minMetric.value,
  drop: GATES.maxDrop.value,
};

/** Throws usage/unknown-figure. */
function readerOf(figure: string): (measured: Measured) => number | undefined {
  const gate: GateName | undefined = Object.hasOwn(FIGURES, figure) ? FIGURES[figure] : undefined;
  if (gate !== undefined) return GATES[gate].value;
  if (Object.hasOwn(SAMPLED, figure)) return SAMPLED[figure];
  const known = [...Object.keys(FIGURES), ...Object.keys(SAMPLED)];
  throw new CompileError("usage/unknown-figure", `there is no figure ${JSON.stringify(figure)}`, {
    where: "--figure",
    remedy: didYouMean(figure, known),
  });
}

export interface BisectOptions {
  readonly figure: string;
  /** With both, each suspect is tried by a build. */
  readonly recipes?: { readonly before: Recipe; readonly after: Recipe };
  readonly signal?: AbortSignal;
  readonly onTrial?: (input: Input) => void;
}

/** Throws usage/unknown-figure, trust/lineage; with recipes trust/other-recipe, and what a build throws. */
export async function bisect(before: Evidence, after: Evidence, options: BisectOptions): Promise<BisectDocument> {
  const { figure, recipes, signal, onTrial } = options;
  const read = readerOf(figure);
  const [a, b] = [read(before.measured), read(after.measured)];
  const [x, y] = [before, after].map(({ artifact }) => decodeLineage(artifact.sections.get("lineage")));
  const suspects = suspectsOf(x, y);
  const firstPass = firstPassOf(x, y);
  const base = {
    schema: "optimus-compile/bisect@1" as const,
    figure,
    ...(a !== undefined && { before: a }),
    ...(b !== undefined && { after: b }),
    suspects,
    ...(firstPass !== undefined && { firstPass }),
  };
  if (a === undefined || b === undefined)
    return { ...base, trials: [], says: `one of the two has no figure ${figure}` };
  if (a === b) return { ...base, trials: [], says: `${figure} did not move: it is ${a} in both` };
  if (suspects.length === 0) {
    return {
      ...base,
      trials: [],
      says: "both say that they were made from the same: build both again to see which is wrong",
    };
  }
  if (recipes === undefined) return { ...base, trials: [], ...byLineage(figure, suspects) };
  checkRecipes(recipes, x, y);
  const trials: Trial[] = [];
  for (const { input } of suspects) {
    // Another version of the compiler is not here to be run.
    if (input === "version") continue;
    onTrial?.(input);
    trials.push({ input, value: await tryOne(exchange(recipes.before, recipes.after, input), read, figure, signal) });
  }
  return { ...base, trials, ...byTrials(figure, a, b, suspects, trials) };
}

function byLineage(figure: string, suspects: readonly Suspect[]): Pick<BisectDocument, "culprit" | "says"> {
  const [first, ...more] = suspects;
  if (more.length === 0)
    return { culprit: first.input, says: `${figure} moved because of the ${first.input}: nothing else differs` };
  const names = suspects.map(({ input }) => input).join(", ");
  return { says: `${names} differ: give --recipe-a and --recipe-b to try each by itself` };
}

function byTrials(
  figure: string,
  before: number,
  after: number,
  suspects: readonly Suspect[],
  trials: readonly Trial[],
): Pick<BisectDocument, "culprit" | "says"> {
  const moved = trials.filter(({ value }) => value !== before);
  const exact = moved.filter(({ value }) => value === after);
  if (exact.length === 1 && moved.length === 1) {
    return { culprit: exact[0].input, says: `the ${exact[0].input} alone moves ${figure} from ${before} to ${after}` };
  }
  if (moved.length === 0) {
    const version = suspects.some(({ input }) => input === "version");
    if (version)
      return { culprit: "version", says: `no input moves ${figure} by itself; the version of the compiler does` };
    return { says: `no input moves ${figure} by itself: they do so together` };
  }
  const parts = moved.map(({ input, value }) => `${input} to ${value}`).join(", ");
  return {
    ...(moved.length === 1 && { culprit: moved[0].input }),
    says: `of ${before} → ${after}: ${parts}`,
  };
}

/** What differs between two lineages, in the order in which it takes part in a build. */
export function suspectsOf(a: Lineage, b: Lineage): Suspect[] {
  const facts: Readonly<Record<Input, (lineage: Lineage) => readonly unknown[]>> = {
    teacher: ({ teacher }) => [teacher.digest, ...teacher.external.map(({ digest }) => digest)],
    data: ({ data }) => [data.calibration.digest, data.selection?.digest],
    passes: ({ passes }) => passes.map(({ name }) => name),
    options: ({ passes }) =>
      passes.flatMap(({ name, options }) =>
        Object.entries(options).map(([key, value]) => `${name}: ${key} ${JSON.stringify(value)}`),
      ),
    target: ({ target }) => [target.name, target.digest, target.profile],
    version: ({ compiler, emulator }) => [compiler.version, compiler.digest, compiler.dependencies, emulator.digest],
  };
  const found = INPUTS.flatMap((input): Suspect[] => {
    const [x, y] = [facts[input](a), facts[input](b)];
    if (JSON.stringify(x) === JSON.stringify(y)) return [];
    return [{ input, before: without(x, y), after: without(y, x) }];
  });
  // Another list of passes has other options by itself.
  const listed = found.some(({ input }) => input === "passes");
  const rest = listed ? found.filter(({ input }) => input !== "options") : found;
  if (rest.length > 0 || a.recipe.digest === b.recipe.digest) return rest;
  // What a recipe says beside passes (quantize, npus, inputs) shows in its digest alone.
  return [{ input: "options", before: a.recipe.digest, after: b.recipe.digest }];
}

/** What of a list is not in the other one; all of it where only the order differs. */
function without(list: readonly unknown[], other: readonly unknown[]): string {
  const known = new Set(other.map((entry) => JSON.stringify(entry)));
  const own = list.filter((entry) => !known.has(JSON.stringify(entry)));
  return cut(JSON.stringify(own.length === 0 && list.length === other.length ? list : own));
}

const cut = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** The first pass that made something else of the same graph, or had another graph before it. */
function firstPassOf(a: Lineage, b: Lineage): string | undefined {
  const count = Math.max(a.passes.length, b.passes.length);
  for (let at = 0; at < count; at++) {
    const [x, y] = [a.passes[at], b.passes[at]];
    if (x?.name === y?.name && x?.after === y?.after && x?.before === y?.before) continue;
    if (x !== undefined && y !== undefined && x.before !== y.before)
      return `before ${x.name}: the graphs differ already`;
    return (y ?? x)?.name;
  }
  return undefined;
}

function checkRecipes({ before, after }: NonNullable<BisectOptions["recipes"]>, a: Lineage, b: Lineage): void {
  for (const [recipe, lineage] of [
    [before, a],
    [after, b],
  ] as const) {
    if (recipe.digest === lineage.recipe.digest) continue;
    throw new CompileError("trust/other-recipe", "the artifact was not built from this recipe", {
      where: `${recipe.file}: ${recipe.digest}, wanted ${lineage.recipe.digest}`,
      remedy: "Give the two recipes in the order of the artifacts, with the settings of their builds.",
    });
  }
}

/** The first recipe with one input of the second. Gates, keys and folders stay. */
export function exchange(a: Recipe, b: Recipe, input: Input): Recipe {
  const { passes, quantize, npus, allowCpu, seed } = b;
  switch (input) {
    case "teacher":
      return { ...a, model: b.model, inputs: b.inputs, dims: b.dims };
    case "data": {
      const { calibration, selection } = b.data;
      const { selection: _, ...own } = a.data;
      return { ...a, data: { ...own, calibration, ...(selection && { selection }) } };
    }
    case "passes":
      return { ...a, passes, quantize };
    case "options":
      return { ...a, passes, quantize, npus, allowCpu, seed, inputs: b.inputs, dims: b.dims };
    case "target":
      return { ...a, target: b.target, profile: b.profile };
    case "version":
      return a;
  }
}

/** Builds into a folder of its own. What samples give takes a look at the certification data, in the recipe's ledger. */
async function tryOne(
  recipe: Recipe,
  read: (measured: Measured) => number | undefined,
  figure: string,
  signal?: AbortSignal,
): Promise<number> {
  const [{ make }, { encodeArtifact, decodeArtifact }, { writeArtifact }, { measure }] = await Promise.all([
    import("../build.ts"),
    import("../artifact/container.ts"),
    import("../artifact/file.ts"),
    import("../certify/measure.ts"),
  ]);
  const { key: _, ...unsigned } = recipe;
  const { sealed } = await make(unsigned, signal && { signal });
  if (Object.hasOwn(FIGURES, figure)) {
    const artifact = decodeArtifact(Buffer.concat(encodeArtifact(sealed)));
    const artifactBytes = [...sealed.sections.values()].reduce((sum, { length }) => sum + length, 0);
    return read({ ...measure(artifact), artifactBytes }) ?? Number.NaN;
  }
  if (recipe.ledger === undefined) {
    throw new CompileError("usage/bisect-ledger", `trying what moves the ${figure} looks at the certification data`, {
      where: recipe.file,
      remedy: "Name the ledger of looks in the first recipe: `ledger: optimus.ledger.jsonl`.",
    });
  }
  const folder = mkdtempSync(join(tmpdir(), "optimus-bisect-"));
  try {
    const path = join(folder, "trial.dopt");
    writeArtifact(path, sealed);
    const { certify } = await import("../certify.ts");
    return read(await certify(path, recipe, signal && { signal })) ?? Number.NaN;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
