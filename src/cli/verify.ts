import { Command } from "commander";
import { CompileError } from "../error.ts";
import type { Check } from "../verify.ts";
import { interruptible } from "./interrupt.ts";
import { collect, isCi, wholeNumber } from "./options.ts";
import { printJson, tell, warn } from "./terminal.ts";

interface Flags {
  readonly key?: readonly string[];
  readonly certifierKey?: string;
  readonly gateKey?: string;
  readonly ledger?: string;
  readonly unsigned?: boolean;
  readonly rebuild?: boolean;
  readonly recipe?: string;
  readonly set?: readonly string[];
  readonly jobs?: number;
  readonly ci?: boolean;
  readonly json?: boolean;
}

export const verify = new Command("verify")
  .description(
    "check an artifact's bytes, both signatures, and that it still computes what it computed when it was made",
  )
  .argument("<artifact>", "a .dopt file")
  .option(
    "--key <pem>",
    "public keys: the build's first, then the certifier's (repeatable, or both in one file)",
    collect,
  )
  .option("--certifier-key <pem>", "the certifier's public key")
  .option(
    "--gate-key <pem>",
    "a gate's public key: wants its verification summary, and no waiver in it that has run out",
  )
  .option("--ledger <file>", "the ledger of looks: wants the look that the certifier signed to stand in it")
  .option("--unsigned", "check the bytes alone; nobody vouches for them")
  .option("--rebuild", "make the program again from the quantization record, and compare every byte")
  .option("--recipe <file>", "with --rebuild: make the whole artifact again from the recipe")
  .option("--set <key=value>", "with --recipe: the settings of the build (repeatable)", collect)
  .option("--jobs <n>", "worker threads", wholeNumber(1))
  .option("--ci", "no spinner; unknown recipe keys are errors")
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const result = await interruptible((signal) => run(path, flags, signal));
    if (flags.json) return printJson({ schema: "optimus-compile/verify@1", artifact: path, ...result });
    tell([...result.checks.map(line), `digest: ${result.digest}`, ""].join("\n"));
  });

const line = ({ name, says }: Check): string => `✓ ${name}: ${says}`;

async function run(path: string, flags: Flags, signal: AbortSignal) {
  if (flags.recipe !== undefined && !flags.rebuild) {
    throw new CompileError("usage/recipe-without-rebuild", "--recipe is for --rebuild", { remedy: "Add --rebuild." });
  }
  if (flags.unsigned && (flags.key || flags.certifierKey || flags.gateKey || flags.ledger)) {
    throw new CompileError("usage/unsigned-with-key", "--unsigned does not look at signatures, so no key is needed", {
      remedy: "Leave out --unsigned to check the signatures.",
    });
  }
  const [{ verifyArtifact }, { readPublicKeys }] = await Promise.all([
    import("../verify.ts"),
    import("../artifact/keys.ts"),
  ]);
  const given = [...(flags.key ?? []), ...(flags.certifierKey ? [flags.certifierKey] : [])].flatMap(readPublicKeys);
  const recipe = flags.recipe === undefined ? undefined : await recipeOf(flags.recipe, flags);
  return verifyArtifact(path, {
    keys: given,
    unsigned: flags.unsigned ?? false,
    rebuild: flags.rebuild ?? false,
    ...(flags.gateKey && { gateKey: readPublicKeys(flags.gateKey)[0] }),
    ...(flags.ledger && { ledger: flags.ledger }),
    ...(recipe && { recipe }),
    signal,
  });
}

async function recipeOf(path: string, flags: Flags) {
  const { loadRecipe } = await import("../recipe.ts");
  const recipe = loadRecipe(path, { ...(flags.set && { set: flags.set }), strict: isCi(flags), warn });
  return flags.jobs === undefined ? recipe : { ...recipe, jobs: flags.jobs };
}
