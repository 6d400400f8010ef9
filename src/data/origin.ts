import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** sha256, in hexadecimal, over the files' names and contents in the order given; where they lie does not matter. */
export function digestOfFiles(paths: readonly string[]): string {
  const digest = createHash("sha256");
  for (const path of paths) {
    const content = createHash("sha256").update(readFileSync(path)).digest("hex");
    digest.update(`${JSON.stringify(basename(path))} ${content}\n`);
  }
  return digest.digest("hex");
}
