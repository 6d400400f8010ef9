import { Command } from "commander";
import { CompileError } from "../error.ts";
import type { BisectDocument } from "../gate/bisect.ts";
import { printable } from "../report/escape.ts";
import { interruptible } from "./interrupt.ts";
import { collect, isCi } from "./options.ts";
import { printJson, say, tell, warn } from "./terminal.ts";
import { type TrustFlags, trustOf, trustOptions } from "./trust.ts";

interface Flags extends TrustFlags {
  readonly figure: string;
  readonly recipeA?: string;
  readonly recipeB?: string;
  readonly setA?: readonly string[];
  readonly setB?: readonly string[];
  readonly ci?: boolean;
  readonly json?: boolean;
}

export const bisect = trustOptions(
  new Command("bisect")
    .description("name the input that moved a figure: teacher, data, passes, options, target or version")
    .argument("<before>", "a .dopt file")
    .argument("<after>", "another"),
)
  .option("--figure <name>", "cycles, sramBytes, weightBytes, dramBytes, millijoules …, metric, drop", "cycles")
  .option("--recipe-a <file>", "the first one's recipe: then each suspect is tried by a build")
  .option("--recipe-b <file>", "the second one's recipe")
  .option("--set-a <key=value>", "settings of the first build (repeatable)", collect)
  .option("--set-b <key=value>", "settings of the second build (repeatable)", collect)
  .option("--ci", "unknown recipe keys are errors")
  .option("--json", "print one JSON document")
  .action(async (before: string, after: string, flags: Flags) => {
    const document = await interruptible((signal) => run(before, after, flags, signal));
    if (flags.json) return printJson(document);
    tell(textOf(document));
  });

async function run(before: string, after: string, flags: Flags, signal: AbortSignal): Promise<BisectDocument> {
  const { figure, recipeA, recipeB, setA, setB } = flags;
  if ((recipeA === undefined) !== (recipeB === undefined)) {
    throw new CompileError("usage/one-recipe", "one input at a time can only be exchanged between two recipes", {
      remedy: "Give both --recipe-a and --recipe-b.",
    });
  }
  const [{ bisect: search }, { readEvidence }, { loadRecipe }] = await Promise.all([
    import("../gate/bisect.ts"),
    import("../gate/evidence.ts"),
    import("../recipe.ts"),
  ]);
  const trust = await trustOf(flags);
  const load = (path: string, set: readonly string[] | undefined) =>
    loadRecipe(path, { ...(set && { set }), strict: isCi(flags), warn });
  const recipes = recipeA && recipeB ? { before: load(recipeA, setA), after: load(recipeB, setB) } : undefined;
  return search(readEvidence(before, trust), readEvidence(after, trust), {
    figure,
    ...(recipes && { recipes }),
    signal,
    onTrial: (input) => say(`building with the other ${input} …`),
  });
}

function textOf({ suspects, trials, firstPass, says }: BisectDocument): string {
  const lines = suspects.flatMap(({ input, before, after }) => [
    `${input} differs`,
    `  - ${printable(before, 300)}`,
    `  + ${printable(after, 300)}`,
  ]);
  if (firstPass !== undefined) lines.push(`first pass that differs: ${printable(firstPass)}`);
  lines.push(...trials.map(({ input, value }) => `with the other ${input}: ${value}`));
  return `${[...lines, says].join("\n")}\n`;
}
