import { existsSync } from "node:fs";
import { Command } from "commander";
import type { Diagnosis } from "../diagnosis/diagnose.ts";
import { CompileError } from "../error.ts";
import { interruptible } from "./interrupt.ts";
import { cacheOf, collect, isCi, type RecipeFlags, settingsOf, wholeNumber } from "./options.ts";
import { isLive, openProgress } from "./progress.ts";
import { printJson, say, tell, warn } from "./terminal.ts";

interface Flags extends RecipeFlags {
  readonly recipe?: string;
  readonly patch?: string;
  readonly samples: number;
  readonly top: number;
  readonly tries: number;
  readonly jobs?: number;
  readonly cache?: boolean;
  readonly json?: boolean;
}

export const explain = new Command("explain")
  .description("say what an error's code means; or which layers of an artifact lose accuracy, and what helps")
  .argument("<code-or-artifact>", "a code as it stands in brackets, for example usage/leak, or a .dopt file")
  .option(
    "--recipe <file>",
    "of an artifact: the recipe it was built from, so that remedies are tried on its selection data",
  )
  .option("--patch <file>", "write the best remedies there, for build --patch")
  .option("--samples <n>", "selection samples on which layers are tried one by one", wholeNumber(1), 64)
  .option("--top <n>", "layers that remedies are tried for", wholeNumber(1), 3)
  .option("--tries <n>", "remedies that are built and measured, at most", wholeNumber(1), 16)
  .option("--set <key=value>", "change the recipe as the build did (repeatable)", collect)
  .option("--jobs <n>", "worker threads", wholeNumber(1))
  .option("--no-cache", "run everything, though nothing changed")
  .option("--json", "print one JSON document")
  .action(async (subject: string, flags: Flags) => {
    if (existsSync(subject)) return await explainArtifact(subject, flags);
    const found = (await import("../explain.ts")).explain(subject);
    if (flags.json) return printJson({ schema: "optimus-compile/explanation@1", ...found });
    tell(
      `${found.code} (exit status ${found.exitCode})\n\n${found.meaning}\n\n  usual cause: ${found.cause}\n  what helps:  ${found.remedy}\n`,
    );
  });

async function explainArtifact(path: string, flags: Flags): Promise<void> {
  const { glanceTable, diagnosisTable } = await import("../diagnosis/table.ts");
  if (flags.recipe === undefined) {
    if (flags.patch !== undefined) {
      throw new CompileError("usage/recipe", "--patch needs --recipe: remedies are tried on the recipe's data", {
        remedy: "give the recipe that the artifact was built from",
      });
    }
    const found = (await import("../diagnosis/glance.ts")).glanceAt(path);
    if (flags.json) printJson(found);
    else tell(glanceTable(found));
    return;
  }
  const found = await interruptible((signal) => diagnosed(path, flags, signal));
  if (flags.patch !== undefined && found.best !== undefined) {
    const { writeFileAtomic } = await import("../artifact/file.ts");
    writeFileAtomic(flags.patch, [Buffer.from(found.best.patch)]);
  } else if (flags.patch !== undefined) say("nothing helped: no patch was written");
  if (flags.json) printJson(found);
  else tell(diagnosisTable(found, flags.patch));
}

async function diagnosed(path: string, flags: Flags, signal: AbortSignal): Promise<Diagnosis> {
  const [{ loadRecipe }, { diagnose }] = await Promise.all([
    import("../recipe.ts"),
    import("../diagnosis/diagnose.ts"),
  ]);
  const loaded = loadRecipe(flags.recipe ?? "", { set: settingsOf(flags), strict: isCi(flags), warn });
  const recipe = { ...loaded, ...(flags.jobs !== undefined && { jobs: flags.jobs }) };
  const progress = await openProgress({ stages: ["explain"], live: isLive(isCi(flags)) });
  progress.stage("explain");
  let good = false;
  try {
    const { samples, top, tries } = flags;
    const found = await diagnose(path, recipe, { samples, top, tries, signal, progress, ...cacheOf(flags) });
    good = true;
    return found;
  } finally {
    await progress.close(good);
  }
}
