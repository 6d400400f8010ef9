import { loadInteger } from "../emulate/integer.ts";
import { graphDigest } from "../ir/digest.ts";
import type { Graph } from "../ir/graph.ts";
import type { PassSpec } from "../pass.ts";
import { runPasses } from "../passes.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { cost } from "./cost.ts";
import type { openBuildData } from "./data.ts";
import { checkOf, passesOf } from "./passes.ts";

export interface LowerOptions {
  readonly signal?: AbortSignal;
  readonly progress?: { detail(text: string): void; warn(text: string): void };
}

type BuildData = Awaited<ReturnType<typeof openBuildData>>;

/** The recipe's passes over the teacher: with all of them, the graph as the chip's integer operators. Throws what passes throw. */
export function lowerTeacher(
  recipe: Recipe,
  target: Target,
  teacher: Graph,
  data: BuildData,
  { signal, progress }: LowerOptions,
  passes: readonly PassSpec[] = passesOf(recipe, target),
): ReturnType<typeof runPasses> {
  return runPasses(teacher, passes, {
    ...{ target, calibration: data.calibration, data: data.data, jobs: recipe.jobs, seed: recipe.seed },
    ...(recipe.check && { check: checkOf(data.calibration) }),
    ...(signal && { signal }),
    digest: onceEach(graphDigest),
    execute: loadInteger,
    cost: (graph) => cost(graph, target, { profile: recipe.profile }),
    log: { info: (text) => progress?.detail(text), warn: (text) => progress?.warn(text) },
    onPass: (name) => progress?.detail(name),
  });
}

/** What one pass gave is what the next one gets. */
function onceEach(digest: (graph: Graph) => string): (graph: Graph) => string {
  const known = new WeakMap<Graph, string>();
  return (graph) => {
    const found = known.get(graph) ?? digest(graph);
    known.set(graph, found);
    return found;
  };
}
