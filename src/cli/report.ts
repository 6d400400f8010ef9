import { Command } from "commander";
import { formatBytes } from "../report/table.ts";
import { collect } from "./options.ts";
import { printJson, say, warn } from "./terminal.ts";

interface Flags {
  readonly output: string;
  readonly baseline?: readonly string[];
  readonly recipe?: string;
  readonly set?: readonly string[];
  readonly key?: readonly string[];
  readonly certifierKey?: string;
  readonly json?: boolean;
}

export const report = new Command("report")
  .description("write what is known of an artifact as one HTML file that needs no network")
  .argument("<artifact>", "a .dopt file")
  .requiredOption("-o, --output <file>", "where the page goes")
  .option("--baseline <artifact>", "another artifact to see beside this one (repeatable)", collect)
  .option("--recipe <file>", "the recipe that it was built with: tells the error of each layer anew, from the teacher")
  .option("--set <key=value>", "with --recipe: the settings of the build (repeatable)", collect)
  .option(
    "--key <pem>",
    "public keys to check the signatures with: the build's first, then the certifier's (repeatable)",
    collect,
  )
  .option("--certifier-key <pem>", "the certifier's public key")
  .option("--json", "print what the page shows as one JSON document")
  .action(async (path: string, flags: Flags) => {
    const [{ writeReport }, { readPublicKeys }] = await Promise.all([
      import("../report.ts"),
      import("../artifact/keys.ts"),
    ]);
    const keys = [...(flags.key ?? []), ...(flags.certifierKey ? [flags.certifierKey] : [])].flatMap(readPublicKeys);
    const recipe = flags.recipe === undefined ? undefined : await recipeOf(flags.recipe, flags.set);
    const { model, bytes } = await writeReport(path, flags.output, {
      keys,
      ...(flags.baseline && { baselines: flags.baseline }),
      ...(recipe && { recipe }),
    });
    if (flags.json) printJson({ schema: "optimus-compile/report@2", output: flags.output, ...model });
    else say(`report: ${flags.output} (${formatBytes(bytes)}), ${model.verdict ?? "not certified"}`);
  });

async function recipeOf(path: string, set: readonly string[] | undefined) {
  const { loadRecipe } = await import("../recipe.ts");
  return loadRecipe(path, { ...(set && { set }), strict: false, warn });
}
