import { readFileSync } from "node:fs";
import { CompileError } from "../error.ts";

/** The text of a recipe, of a build or of a training. Throws usage/missing-recipe, which names `example` as one that is there. */
export function readRecipeText(path: string, example: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CompileError("usage/missing-recipe", "the recipe cannot be read", {
      where: path,
      remedy: `give the path of a recipe, for example ${example}`,
      cause,
    });
  }
}
