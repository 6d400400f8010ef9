/** `npm run generate` writes what in docs/ follows from the code; with `--check` it only says what is stale, and exits 1. */
import { mkdirSync, writeFileSync } from "node:fs";
import { pages, stalePages } from "./documents.ts";

const root = new URL("../", import.meta.url);

if (process.argv.includes("--check")) {
  const stale = stalePages();
  for (const path of stale) console.error(`${path} is stale: npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(new URL("docs/", root), { recursive: true });
  for (const [path, text] of pages()) writeFileSync(new URL(path, root), text);
  await import("./generate-recipe-schema.ts");
}
