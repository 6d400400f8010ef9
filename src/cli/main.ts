#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command, CommanderError } from "commander";
import { CompileError, exitCodeOf } from "../error.ts";
import { accept } from "./accept.ts";
import { affected } from "./affected.ts";
import { attest } from "./attest.ts";
import { bisect } from "./bisect.ts";
import { build } from "./build.ts";
import { cache } from "./cache.ts";
import { certificate } from "./certificate.ts";
import { certify } from "./certify.ts";
import { check } from "./check.ts";
import { config } from "./config.ts";
import { diff } from "./diff.ts";
import { doctor } from "./doctor.ts";
import { emulate } from "./emulate.ts";
import { escalate } from "./escalate.ts";
import { explain } from "./explain.ts";
import { exportCommand } from "./export.ts";
import { gate } from "./gate.ts";
import { init } from "./init.ts";
import { inspect } from "./inspect.ts";
import { INTERRUPTED, Interrupted } from "./interrupt.ts";
import { keygen } from "./keygen.ts";
import { passes } from "./passes.ts";
import { profile } from "./profile.ts";
import { report } from "./report.ts";
import { targets } from "./targets.ts";
import { errorDocument, printJson, say, sayBug, sayError } from "./terminal.ts";
import { train } from "./train.ts";
import { verify } from "./verify.ts";
import { waive } from "./waive.ts";

const manifest = JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, "utf8")) as { version: string };

const program = new Command("optimus-compile")
  .description("Compiles ONNX models to int8 programs for NPUs, certifies and signs them")
  .version(manifest.version)
  .addHelpText(
    "after",
    "\nExit codes: 0 pass, 1 a gate failed, 2 usage or recipe, 3 the model was rejected,\n4 signature or trust, 5 evidence incomplete, 70 a bug of ours, 130 interrupted.",
  );

for (const command of [
  init,
  build,
  certify,
  verify,
  attest,
  certificate,
  affected,
  escalate,
  gate,
  waive,
  accept,
  diff,
  bisect,
  check,
  train,
  emulate,
  profile,
  report,
  exportCommand,
  inspect,
  targets,
  passes,
  keygen,
  cache,
  explain,
  config,
  doctor,
]) {
  program.addCommand(command);
}
prepare(program);

/** Errors are ours to print, and no command ends the process by itself. */
function prepare(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  command.showHelpAfterError(false).showSuggestionAfterError(true);
  for (const inner of command.commands) prepare(inner);
}

/** commander's own complaint in the words of all others: `error: unknown option '--jsno'\n(Did you mean --json?)`. */
function usageError(error: CommanderError): CompileError {
  const [message, suggestion] = error.message.replace(/^error: /, "").split("\n");
  const code = error.code.replace(/^commander\./, "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const remedy =
    suggestion?.replace(/^\((.*)\)$/, "$1") ?? "`optimus-compile --help` lists commands, COMMAND --help options";
  return new CompileError(`usage/${code}`, message, { remedy });
}

async function main(): Promise<number> {
  const json = process.argv.includes("--json");
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    if (thrown instanceof CommanderError && thrown.code === "commander.help") return 2;
    if (thrown instanceof Interrupted) {
      say(thrown.message);
      return INTERRUPTED;
    }
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (json) printJson(errorDocument(error instanceof CompileError ? error.code : "bug", error));
    if (error instanceof CompileError) sayError(error);
    else sayBug(error);
    return exitCodeOf(error);
  }
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 70));

const status = await main();
// Native threads and pools must not keep a finished command alive; what was printed goes out first.
process.stdout.write("", () => process.exit(status));
