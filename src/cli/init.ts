import { existsSync, writeFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { Command } from "commander";
import { CompileError } from "../error.ts";
import { Interrupted } from "./interrupt.ts";
import { print, printJson, say } from "./terminal.ts";

interface Flags {
  readonly model?: string;
  readonly data?: string;
  readonly metric?: string;
  readonly target?: string;
  readonly out?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

interface Answers {
  readonly model: string;
  readonly data: string;
  readonly metric?: string;
  readonly target: string;
}

const TARGET = "ai4";

export const init = new Command("init")
  .description("look at a model and its data, and write a recipe that builds")
  .option("--model <file>", "the ONNX model")
  .option("--data <path>", "an npz, jsonl or IDX file, or a folder of pictures, one folder a class")
  .option("--metric <name>", "what the models are compared by (default: what the data allows)")
  .option("--target <name>", `the chip (default: ${TARGET})`)
  .option("--out <file>", "where the recipe goes (default: the model's name, .yaml)")
  .option("--yes", "ask nothing, take what is proposed")
  .option("--force", "replace a recipe that is there")
  .option("--json", "print one JSON document")
  .action(async (flags: Flags) => {
    const answers = isPerson(flags) ? await ask(flags) : fromFlags(flags);
    const path = flags.out ?? `${basename(answers.model, extname(answers.model))}.yaml`;
    if (existsSync(path) && !flags.force) {
      throw new CompileError("usage/init-exists", "there is a file of that name already", {
        where: path,
        remedy: "Choose another --out, or give --force to replace it.",
      });
    }
    const [{ propose }, { writeRecipe }, { parseRecipe }, { loadTarget }] = await Promise.all([
      import("../init/propose.ts"),
      import("../init/write.ts"),
      import("../recipe.ts"),
      import("../target/load.ts"),
    ]);
    loadTarget(answers.target);
    const proposal = await propose(answers.model, answers.data, answers);
    const text = writeRecipe(proposal, { target: answers.target, path });
    parseRecipe(text, path, { strict: true });
    writeFileSync(path, text, { flag: flags.force ? "w" : "wx" });
    if (flags.json) {
      const { shapes, ...rest } = proposal;
      printJson({ schema: "optimus-compile/init@1", recipe: path, ...rest, shapes: Object.fromEntries(shapes) });
      return;
    }
    print(`${path}\n`);
    say(`metric ${proposal.metric}: ${proposal.because}`);
    say(`next: optimus-compile build ${path}`);
  });

/** Nobody is asked in CI, in a pipe, or where --yes answers everything. */
function isPerson({ yes, json }: Flags): boolean {
  return !yes && !json && process.env.CI !== "true" && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

function fromFlags({ model, data, metric, target = TARGET }: Flags): Answers {
  for (const [name, value] of Object.entries({ model, data })) {
    if (value !== undefined) continue;
    throw new CompileError("usage/init-answer", `which ${name}? Nobody is here to be asked`, {
      remedy: `Give --${name} PATH.`,
    });
  }
  return { model: model ?? "", data: data ?? "", target, ...(metric !== undefined && { metric }) };
}

/** Four questions, less those that a flag answers. */
async function ask(flags: Flags): Promise<Answers> {
  const { text, isCancel } = await import("@clack/prompts");
  const question = async (given: string | undefined, message: string, initial: string): Promise<string> => {
    if (given !== undefined) return given;
    const answer = await text({
      message,
      initialValue: initial,
      output: process.stderr,
      validate: (value) => (value || initial === "" ? undefined : "An answer is needed."),
    });
    if (isCancel(answer)) throw new Interrupted();
    return answer;
  };
  const model = await question(flags.model, "Which ONNX model?", "model.onnx");
  const data = await question(
    flags.data,
    "Where is its data? An npz, jsonl or IDX file, or a folder of pictures",
    "data.npz",
  );
  const metric = await question(flags.metric, "By which metric? Empty: what the data allows", "");
  const target = await question(flags.target, "For which chip?", TARGET);
  return { model, data, target, ...(metric !== "" && { metric }) };
}
