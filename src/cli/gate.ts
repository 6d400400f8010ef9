import { existsSync } from "node:fs";
import { relative, sep } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { CompileError } from "../error.ts";
import type { GateDocument } from "../report/gate-document.ts";
import { collect, isCi, wholeNumber } from "./options.ts";
import { print, printJson, say, tell, warn } from "./terminal.ts";
import { type TrustFlags, trustOf, trustOptions } from "./trust.ts";
import { toolVersion } from "./version.ts";

const REPORTERS = ["summary", "json", "junit", "sarif", "github", "gitlab"] as const;
type Reporter = (typeof REPORTERS)[number];

interface Flags extends TrustFlags {
  readonly budgets?: string;
  readonly baseline?: string;
  readonly reporter: Reporter;
  readonly output?: string;
  readonly waivers?: readonly string[];
  readonly waiverKey?: readonly string[];
  readonly now?: string;
  readonly attest?: string;
  readonly plan?: boolean;
  readonly limit?: number;
  readonly discordance?: number;
  readonly effect?: number;
  readonly groupSize?: number;
  readonly look?: number;
  readonly ledger?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
  readonly ci?: boolean;
}

export const gate = trustOptions(
  new Command("gate")
    .description(
      "judge artifacts by a budgets file, from their own verified evidence; or plan how many labels that takes",
    )
    .argument("<artifacts...>", ".dopt files; with --plan also a recipe"),
)
  .option("--budgets <file>", "the limits (default: optimus.budgets.yaml; without one the recipe's own gates)")
  .option("--baseline <artifact>", "what relative limits are relative to, before what the budgets say")
  .addOption(new Option("--reporter <name>", "the form of the report").choices(REPORTERS).default("summary"))
  .option("--output <file>", "write the report there; a summary is printed")
  .option("--waivers <file...>", "signed waivers, as `waive` writes them")
  .option("--waiver-key <pem>", "public key of who may waive (repeatable)", collect)
  .option("--now <day>", "the day by which waivers are judged, YYYY-MM-DD (default: today in UTC)", dayOption)
  .option("--attest <pem>", "sign the verdict with this private key, not the build's, and write it into each artifact")
  .option("--plan", "say how many labels the gates on drops need: 90 % power at no true drop")
  .option("--limit <drop>", "with --plan: the largest drop, in the place of the gates'", positive)
  .option("--discordance <share>", "with --plan: samples that one model answers right and the other does not", positive)
  .option("--effect <factor>", "with --plan: design effect of the groups", positive)
  .option("--group-size <samples>", "with --plan: samples of a group", positive)
  .option("--look <number>", "with --plan: which look at the data it will be", wholeNumber(1))
  .option("--ledger <file>", "with --plan: the ledger of looks, which tells the same")
  .option("--set <key=value>", "with --plan RECIPE: settings of the build (repeatable)", collect)
  .option("--ci", "unknown recipe keys are errors")
  .option("--json", "the same as --reporter json")
  .action(async (paths: readonly string[], flags: Flags) => {
    if (flags.plan) return plan(paths, flags);
    await judge(paths, flags);
  });

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number above zero.");
}

function dayOption(text: string): string {
  const time = Date.parse(`${text}T00:00:00Z`);
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(time) && new Date(time).toISOString().startsWith(text))
    return text;
  throw new InvalidArgumentError("It must be a day, YYYY-MM-DD.");
}

async function judge(paths: readonly string[], flags: Flags): Promise<void> {
  const [{ gate: run }, { BUDGETS_FILE, readBudgets }, { readPrivateKey, readPublicKeys }] = await Promise.all([
    import("../gate.ts"),
    import("../gate/budgets.ts"),
    import("../artifact/keys.ts"),
  ]);
  const attest = flags.attest === undefined ? undefined : readPrivateKey(flags.attest);
  const trust = await trustOf(flags);
  const file = flags.budgets ?? (existsSync(BUDGETS_FILE) ? BUDGETS_FILE : undefined);
  const keys = (flags.waiverKey ?? []).flatMap(readPublicKeys);
  if (flags.waivers && keys.length === 0) {
    throw new CompileError("usage/waiver-key", "it was not said who may waive a gate", {
      remedy: "Give --waiver-key PUBLIC.pem with --waivers.",
    });
  }
  if (file === undefined && flags.baseline !== undefined) {
    warn("--baseline changes nothing: no budgets file says what may change from it\nsee docs/gates.md, `limits`");
  }
  const document = await run(paths, {
    trust,
    ...(file !== undefined && { budgets: readBudgets(file) }),
    ...(flags.baseline !== undefined && { baseline: flags.baseline }),
    ...(flags.waivers && { waivers: { files: flags.waivers, keys } }),
    today: flags.now ?? new Date().toISOString().slice(0, 10),
    show: fromHere,
    ...(attest && { attest }),
  });
  await report(document, flags.json ? "json" : flags.reporter, flags.output);
  process.exitCode = { pass: 0, fail: 1, incomplete: 5 }[document.verdict];
}

/** Paths in reports are the repository's, where the command runs. */
function fromHere(path: string): string {
  const inside = relative(process.cwd(), path);
  return inside.startsWith("..") ? path : inside.split(sep).join("/");
}

async function report(document: GateDocument, reporter: Reporter, output: string | undefined): Promise<void> {
  const text = await rendered(document, reporter);
  const { summariseGate } = await import("../report/gate-summary.ts");
  if (output !== undefined) {
    const { writeFileAtomic } = await import("../artifact/file.ts");
    writeFileAtomic(output, [text]);
    tell(summariseGate(document));
  } else if (reporter === "summary") tell(text);
  else print(text);
  for (const { code, says, file } of document.refusedWaivers) warn(`${code}: ${says}\nin ${file}`);
  const page = process.env.GITHUB_STEP_SUMMARY;
  if (reporter !== "github" || page === undefined || page === "") return;
  const [{ githubSummaryOf }, { appendFileSync }] = await Promise.all([
    import("../report/github.ts"),
    import("node:fs"),
  ]);
  try {
    appendFileSync(page, githubSummaryOf(document));
  } catch {
    say("the job's summary could not be written");
  }
}

async function rendered(document: GateDocument, reporter: Reporter): Promise<string> {
  switch (reporter) {
    case "summary":
      return (await import("../report/gate-summary.ts")).summariseGate(document);
    case "json":
      return `${JSON.stringify(document, undefined, 2)}\n`;
    case "junit":
      return (await import("../report/junit.ts")).junitOf(document);
    case "sarif":
      return (await import("../report/sarif.ts")).sarifOf(document, toolVersion());
    case "github":
      return (await import("../report/github.ts")).githubOf(document);
    case "gitlab":
      return (await import("../report/gitlab.ts")).gitlabOf(document);
  }
}

async function plan(paths: readonly string[], flags: Flags): Promise<void> {
  const { planGate } = await import("../gate/planning.ts");
  const [path, ...more] = paths;
  if (more.length > 0) {
    throw new CompileError("usage/plan-several", "--plan is for one recipe or artifact at a time", { where: more[0] });
  }
  const document = await planGate(path, {
    ...flags,
    trust: path.endsWith(".dopt") ? await trustOf(flags) : "unsigned",
    strict: isCi(flags),
    warn,
  });
  if (flags.json || flags.reporter === "json") return printJson(document);
  const lines = document.plans.map(
    ({ gate: name, limit, samples, groups, from }) =>
      `${name} ${limit}: ${samples} labels in ${groups} groups (${from})`,
  );
  const odds = `for 90 % power at no true drop, at alpha ${Number(document.alpha.toPrecision(3))} (look ${document.look})`;
  tell(`${[...lines, odds].join("\n")}\n`);
}
