import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { CompileError } from "../error.ts";
import { collect } from "./options.ts";
import { print, printJson } from "./terminal.ts";
import { type TrustFlags, trustOf, trustOptions } from "./trust.ts";

interface Flags extends TrustFlags {
  readonly budgets?: string;
  readonly gate?: readonly string[];
  readonly failed?: boolean;
  readonly margin: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const accept = trustOptions(
  new Command("accept")
    .description("make an artifact the baseline in the budgets file, and its figures the limits of gates")
    .argument("<artifact>", "a .dopt file"),
)
  .option("--budgets <file>", "the file to change (default: optimus.budgets.yaml)")
  .option("--gate <name>", "a gate whose limit becomes what was measured (repeatable)", collect)
  .option("--failed", "the same for every gate with an absolute limit that the artifact does not keep")
  .option("--margin <share>", "room beyond what was measured: 0.02 is 2 %", share, 0)
  .option("--dry-run", "print the change alone")
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const [
      { applyChanges, changedLines, changesOf, failedGates },
      { BUDGETS_FILE, parseBudgets, readBudgets },
      evidence,
    ] = await Promise.all([import("../gate/accept.ts"), import("../gate/budgets.ts"), import("../gate/evidence.ts")]);
    const { readRegularFile, writeFileAtomic } = await import("../artifact/file.ts");
    const trust = await trustOf(flags);
    const file = flags.budgets ?? BUDGETS_FILE;
    if (!existsSync(file)) throw noBudgets(file, basename(path, extname(path)));
    readBudgets(file);
    const text = new TextDecoder().decode(readRegularFile(file, "budgets file"));
    const budgets = parseBudgets(text, file);
    const found = evidence.readEvidence(path, trust);
    let gates = flags.gate ?? [];
    if (flags.failed) {
      const { gate } = await import("../gate.ts");
      // Limits beside a baseline move with it, so only the artifact's own are judged.
      const own = { ...budgets, entries: budgets.entries.map(({ baseline: _, ...entry }) => entry) };
      const { artifacts } = await gate([path], { trust, budgets: own, today: "9999-12-31" });
      gates = [
        ...new Set([
          ...gates,
          ...artifacts.flatMap((line) => failedGates(line.gates)).filter((name) => name !== "gates"),
        ]),
      ];
    }
    const changes = changesOf(budgets, found, { gates, margin: flags.margin });
    const after = applyChanges(text, changes, file);
    if (!flags.dryRun && after !== text) writeFileAtomic(file, [after]);
    if (flags.json)
      return printJson({ schema: "optimus-compile/accept@1", budgets: file, digest: found.artifact.digest, changes });
    const lines = changedLines(text, after);
    print(lines.length === 0 ? `${file} says so already\n` : `${file}\n${lines.join("\n")}\n`);
  });

function noBudgets(file: string, name: string): CompileError {
  return new CompileError("usage/no-such-file", "there is no budgets file yet", {
    where: file,
    remedy: `Begin it with:\nbudgets:\n  - artifact: ${JSON.stringify(name)}\n    gates: { maxDrop: 0.005 }\n    baseline: { limits: { maxCycles: 0 } }`,
  });
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 10) return value;
  throw new InvalidArgumentError("It must be a share, for example 0.02.");
}
