import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { PassSpec } from "../pass.ts";
import type { Recipe } from "../recipe.ts";
import { loadTarget } from "../target/load.ts";
import { openBuildData } from "./data.ts";
import { type LowerOptions, lowerTeacher } from "./lower.ts";
import { passesOf, requireFormats } from "./passes.ts";
import { importTeacher } from "./teacher.ts";

/** From here on a graph is of the chip's operators. */
const LOWERING = "lower/integer";

/**
 * The recipe's model as it is quantized, before it is said in the chip's integers: ONNX's operators on values whose types carry
 * scales. What passes correct on the integer graph is not in it. Throws what a build's first stages throw, usage/open-goal, and
 * usage/nothing-quantized where the recipe's passes end without integers.
 */
export async function quantizedGraph(recipe: Recipe, options: LowerOptions = {}): Promise<Graph> {
  requireFormats(recipe);
  const target = loadTarget(recipe.target);
  const passes = passesOf(recipe, target);
  const end = passes.findIndex((spec) => nameOf(spec) === LOWERING);
  if (end < 0) {
    throw new CompileError("usage/nothing-quantized", `the recipe's passes do not reach ${LOWERING}`, {
      where: "passes",
      remedy: "use the preset `default`, or a list that quantizes and lowers",
    });
  }
  const teacher = await importTeacher(recipe);
  const data = await openBuildData(recipe, teacher.graph, options);
  try {
    const { graph } = await lowerTeacher(recipe, target, teacher.graph, data, options, passes.slice(0, end));
    return { ...graph, metadata: new Map([...graph.metadata].filter(([key]) => !key.startsWith("quantize/"))) };
  } finally {
    data.close();
  }
}

function nameOf(spec: PassSpec): string | undefined {
  if (typeof spec === "string") return spec;
  return "pass" in spec && typeof spec.pass === "string" ? spec.pass : undefined;
}
