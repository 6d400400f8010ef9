/** Writes docs/recipe.schema.json from the recipe's own schema. A test fails where the file is stale. */
import { writeFileSync } from "node:fs";
import { recipeJsonSchema } from "../src/recipe/schema.ts";

writeFileSync(
  new URL("../docs/recipe.schema.json", import.meta.url),
  `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`,
);
