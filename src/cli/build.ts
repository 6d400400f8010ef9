import { Command, Option } from "commander";
import { interruptible } from "./interrupt.ts";
import { cacheOf, collect, isCi, type RecipeFlags, settingsOf, wholeNumber } from "./options.ts";
import { isLive, openProgress } from "./progress.ts";
import { printJson, tell, warn } from "./terminal.ts";

interface Flags extends RecipeFlags {
  readonly out?: string;
  readonly jobs?: number;
  readonly json?: boolean;
  readonly cache?: boolean;
  readonly dryRun?: boolean;
  readonly lock?: boolean;
  readonly locked?: boolean;
  readonly patch?: readonly string[];
}

export const build = new Command("build")
  .description("compile, certify and seal what a recipe describes")
  .argument("<recipe>", "a YAML file, for example recipes/quickstart.yaml")
  .option("--out <folder>", "folder for the artifact")
  .option("--set <key=value>", "change the recipe, as a.b=c (repeatable)", collect)
  .option(
    "--patch <file>",
    "changes to the recipe in YAML, as explain writes them (repeatable; --set comes after)",
    collect,
  )
  .option("--jobs <n>", "worker threads; the artifact does not depend on it", wholeNumber(1))
  .option("--seed <n>", "seed of all random numbers", wholeNumber(0))
  .option("--check", "run each pass's graph beside the one before it, and name the first that differs")
  .option("--no-cache", "run every stage, though nothing changed since it was last made")
  .option("--lock", "write what this build is made from to optimus.lock, beside the recipe")
  .addOption(new Option("--locked", "fail where anything is not as optimus.lock says").conflicts("lock"))
  .option("--dry-run", "say what would be done, and about how long it takes; nothing is written")
  .option("--json", "print one JSON document")
  .option("--ci", "no spinner; unknown recipe keys are errors (on by itself where CI=true)")
  .action(async (path: string, flags: Flags) => {
    if (flags.dryRun) return await plan(path, flags);
    const { document, notes } = await interruptible((signal) => run(path, flags, signal));
    if (flags.json) printJson(document);
    else tell((await import("../report/build-summary.ts")).summariseBuild(document, notes));
    process.exitCode = { pass: 0, fail: 1, incomplete: 5 }[document.verdict];
  });

function lockOf({ lock, locked }: Flags): { lock?: "write" | "check" } {
  if (lock) return { lock: "write" };
  return locked ? { lock: "check" } : {};
}

async function open(path: string, flags: Flags) {
  const { loadRecipe } = await import("../recipe.ts");
  const { settingsOfPatch } = await import("../recipe/patch.ts");
  const settings = [...(flags.patch ?? []).flatMap(settingsOfPatch), ...settingsOf(flags)];
  const loaded = loadRecipe(path, { set: settings, strict: isCi(flags), warn });
  const { resolve } = await import("node:path");
  const recipe = {
    ...loaded,
    ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    ...(flags.out !== undefined && { out: resolve(flags.out) }),
  };
  return { recipe, settings };
}

async function plan(path: string, flags: Flags): Promise<void> {
  const { recipe } = await open(path, flags);
  const { planBuild, planText } = await import("../plan.ts");
  const found = await planBuild(recipe, cacheOf(flags));
  if (flags.json) printJson(found);
  else tell(planText(found));
}

async function run(path: string, flags: Flags, signal: AbortSignal) {
  const { recipe, settings } = await open(path, flags);
  const { build: compile, STAGES } = await import("../build.ts");
  const progress = await openProgress({ stages: STAGES, live: isLive(isCi(flags)) });
  let good = false;
  try {
    const result = await compile(recipe, { settings, signal, progress, ...cacheOf(flags), ...lockOf(flags) });
    good = true;
    return result;
  } finally {
    await progress.close(good);
  }
}
