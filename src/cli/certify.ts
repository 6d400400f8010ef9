import { Command, Option } from "commander";
import { interruptible } from "./interrupt.ts";
import { cacheOf, collect, isCi, type RecipeFlags, settingsOf, wholeNumber } from "./options.ts";
import { isLive, openProgress } from "./progress.ts";
import { printJson, tell, warn } from "./terminal.ts";

interface Flags extends RecipeFlags {
  readonly recipe: string;
  readonly key?: string;
  readonly jobs?: number;
  readonly first?: boolean;
  readonly cache?: string | false;
  readonly json?: boolean;
}

export const certify = new Command("certify")
  .description("judge an artifact on the certification data, and sign what was found")
  .argument("<artifact>", "a .dopt file; the evidence is written into it")
  .requiredOption("--recipe <file>", "the recipe that names the data, the metric, the gates and the teacher")
  .option("--key <pem>", "the certifier's private key (default: the recipe's certifierKey)")
  .option("--set <key=value>", "change the recipe, as a.b=c (repeatable)", collect)
  .option("--jobs <n>", "worker threads", wholeNumber(1))
  .option("--seed <n>", "seed of all random numbers", wholeNumber(0))
  .option("--no-cache", "run every sample, though outcomes of the same are kept")
  .addOption(new Option("--cache <folder>").hideHelp())
  .option("--ci", "no spinner; unknown recipe keys are errors")
  .option("--json", "print one JSON document")
  .addOption(new Option("--first", "fail where the artifact was certified before").hideHelp())
  .action(async (path: string, flags: Flags) => {
    const document = await interruptible((signal) => run(path, flags, signal));
    if (flags.json) printJson(document);
    else tell(summary(document));
    process.exitCode = { pass: 0, fail: 1, incomplete: 5 }[document.verdict];
  });

type Document = Awaited<ReturnType<typeof run>>;

async function run(path: string, flags: Flags, signal: AbortSignal) {
  const [{ certify: judge }, { loadRecipe }, { peakRss }] = await Promise.all([
    import("../certify.ts"),
    import("../recipe.ts"),
    import("../build/resource.ts"),
  ]);
  const loaded = loadRecipe(flags.recipe, { set: settingsOf(flags), strict: isCi(flags), warn });
  const recipe = flags.jobs === undefined ? loaded : { ...loaded, jobs: flags.jobs };
  const progress = await openProgress({ stages: ["certify"], live: isLive(isCi(flags)) });
  progress.stage("certify");
  let good = false;
  try {
    const key = flags.key ?? recipe.certifierKey;
    const result = await judge(path, recipe, {
      ...(key !== undefined && { key }),
      ...(flags.first && { first: true }),
      ...cacheOf(flags),
      warn,
      signal,
      onProgress(done, of) {
        progress.detail(`${done} of ${of} samples`);
        process.send?.({ done, of });
      },
    });
    good = true;
    return { schema: "optimus-compile/certify@2" as const, artifact: path, ...result, peakRssBytes: peakRss() };
  } finally {
    await progress.close(good);
  }
}

function summary({ artifact, accuracy, gates, verdict, signedBy, openings, looked }: Document): string {
  const { metric, teacher, compiled, n, interval } = accuracy;
  const within = interval && `, drop between ${interval.low.toFixed(4)} and ${interval.high.toFixed(4)} (95 %)`;
  return [
    `${metric}: teacher ${teacher.toFixed(4)}, compiled ${compiled.toFixed(4)} on ${n} samples${within ?? ""}`,
    ...gates.map((gate) => `${gate.gate}: ${gate.verdict}, ${gate.reason}`),
    looked.look > 1
      ? `look ${looked.look} at this data: each gate may err once in ${Math.round(1 / looked.alpha)}`
      : "",
    openings.length > 1 ? `the certification data was opened ${openings.length} times` : "",
    signedBy === undefined ? "unsigned: no --key, and no certifierKey in the recipe" : `signed by ${signedBy}`,
    `verdict: ${verdict}`,
    `artifact: ${artifact}`,
    "",
  ]
    .filter((line, at, all) => line !== "" || at === all.length - 1)
    .join("\n");
}
