/** One recipe on variants of a target: half of a description is inferred, so what hangs on an inference should be seen. */
import { openBuildData } from "./build/data.ts";
import { lowerTeacher } from "./build/lower.ts";
import { requireFormats } from "./build/passes.ts";
import { scheduleGraph } from "./build/schedule.ts";
import { importTeacher } from "./build/teacher.ts";
import { checkProfile } from "./certify/measure.ts";
import { boundOf } from "./checker/bound.ts";
import type { Range } from "./emulate/energy.ts";
import { operate } from "./emulate/power.ts";
import { CompileError } from "./error.ts";
import type { Graph } from "./ir/graph.ts";
import type { Recipe } from "./recipe.ts";
import type { ScheduleOptions } from "./schedule/schedule.ts";
import { loadTarget } from "./target/load.ts";
import type { Target } from "./target/schema.ts";

export interface SweepOptions {
  /** By variant: its settings, `sram=64MiB`. */
  readonly variants: readonly (readonly string[])[];
  readonly profile?: string;
  readonly signal?: AbortSignal;
  readonly progress?: { detail(text: string): void; warn(text: string): void };
}

export interface Figures {
  readonly cycles: number;
  readonly ms: number;
  /** What no schedule could beat under the variant, and what of the chip sets it. */
  readonly floorCycles: number;
  readonly bound: "array" | "vector" | "DRAM";
  readonly efficiency: number;
  readonly dramBytes: number;
  readonly sramPeakBytes: number;
  readonly clockGHz: number;
  /** Of one run, without what the board draws anyway. */
  readonly mJ: Range;
}

export interface Variant {
  /** Empty for the description as it is. */
  readonly settings: readonly string[];
  readonly figures?: Figures;
  /** Why the network cannot run on the variant. */
  readonly refused?: { readonly code: string; readonly message: string };
}

export interface Sweep {
  readonly target: string;
  readonly profile: string;
  readonly network: string;
  readonly variants: readonly Variant[];
}

/**
 * Figures of the recipe's network on the target as described, then on every variant. Calibration and lowering run once: they
 * know the chip's arithmetic, not its sizes. Throws usage/unknown-target, usage/bad-override, and what a build throws.
 */
export async function sweepTarget(name: string, recipe: Recipe, options: SweepOptions): Promise<Sweep> {
  const { signal } = options;
  requireFormats(recipe);
  const base = loadTarget(name);
  const profile = options.profile ?? (recipe.profile in base.profiles ? recipe.profile : base.defaultProfile);
  checkProfile(base, profile);
  // All descriptions first: a mistyped setting shows before the long part.
  const targets = [[], ...options.variants].map((settings) => ({
    settings,
    target: loadTarget(name, { set: settings }),
  }));
  const changed = targets.find(({ target }) => !sameArithmetic(target, base));
  if (changed) {
    throw new CompileError("usage/bad-override", `${changed.settings.join(", ")} changes the network's integers`, {
      remedy: "sweep sizes and rates; for another rounding or accumulator, build twice",
    });
  }
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph);
  try {
    const { graph } = await lowerTeacher(recipe, base, teacher.graph, data, options);
    const variants = targets.map(({ settings, target }): Variant => {
      signal?.throwIfAborted();
      options.progress?.detail(settings.join(",") || name);
      return { settings, ...figuresOf(graph, target, profile, recipe) };
    });
    return { target: name, profile, network: recipe.name, variants };
  } finally {
    data.close();
  }
}

function sameArithmetic(a: Target, b: Target): boolean {
  return a.round === b.round && a.array.accumulatorBits === b.array.accumulatorBits;
}

/** A network that cannot run on a variant is a result, not an end. */
export function figuresOf(
  graph: Graph,
  target: Target,
  profile: string,
  options: ScheduleOptions = {},
): Pick<Variant, "figures" | "refused"> {
  try {
    const { program } = scheduleGraph(graph, target, { allowCpu: options.allowCpu ?? false, npus: options.npus ?? 1 });
    const { target: clocked, timing, energy } = operate(program, target, { profile });
    const bound = boundOf(graph, clocked, { profile, npus: program.npus });
    const units = [
      ["array", bound.arrayCycles],
      ["vector", bound.vectorCycles],
      ["DRAM", bound.dramCycles],
    ] as const;
    const { cycles, ms, dramBytes, sramPeakBytes } = timing;
    const figures: Figures = {
      ...{ cycles, ms, dramBytes, sramPeakBytes, clockGHz: clocked.clockGHz, mJ: energy.mJ },
      floorCycles: bound.floorCycles,
      bound: units.reduce((most, unit) => (unit[1] > most[1] ? unit : most))[0],
      efficiency: bound.floorCycles / cycles,
    };
    return { figures };
  } catch (error) {
    if (!(error instanceof CompileError) || !error.code.startsWith("model/")) throw error;
    return { refused: { code: error.code, message: error.message } };
  }
}
