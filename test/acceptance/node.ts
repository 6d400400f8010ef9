import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./check.ts";
import { complaint, runProgram } from "./command.ts";

/** The path of a Node of that version: this very one, or npm's `node` package, which holds the program itself. */
export async function installNode(version: string, folder: string): Promise<string | Omit<Outcome, "name">> {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const prefix = join(folder, `node${version}`);
  const finished = await runProgram("npm", [
    "install",
    "--prefix",
    prefix,
    "--no-save",
    "--no-audit",
    "--no-fund",
    `node@${version}`,
  ]);
  const program = join(prefix, "node_modules/node/bin/node");
  return existsSync(program) ? program : { good: false, says: `npm install node@${version}: ${complaint(finished)}` };
}
