import { Command } from "commander";
import { collect, isCi, type RecipeFlags, settingsOf } from "./options.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags extends RecipeFlags {
  readonly json?: boolean;
}

const printCommand = new Command("print")
  .description("print every setting of a recipe as it will be used, and where it comes from")
  .argument("<recipe>", "a YAML file")
  .option("--set <key=value>", "change the recipe, as a.b=c (repeatable)", collect)
  .option("--seed <n>", "seed of all random numbers")
  .option("--ci", "unknown recipe keys are errors")
  .option("--json", "print one JSON document")
  .action(async (path: string, { seed, ...flags }: Omit<Flags, "seed"> & { seed?: string }) => {
    const set = [...settingsOf(flags), ...(seed === undefined ? [] : [`seed=${seed}`])];
    const settings = (await import("../recipe/origins.ts")).traceRecipe(path, { set, strict: isCi(flags) });
    const environment = [
      { key: "CI", value: isCi(flags), origin: originOf("CI", flags.ci) },
      {
        key: "OPTIMUS_CACHE",
        value: (await import("../cache/folder.ts")).cacheFolder() ?? "off",
        origin: originOf("OPTIMUS_CACHE"),
      },
    ];
    if (flags.json) return printJson({ schema: "optimus-compile/config@1", settings, environment });
    const { printable } = await import("../report/escape.ts");
    const rows = [...settings, ...environment].map(({ key, value, origin }) =>
      // The value comes last: it may be long, and is none of the numbers that a table sets to the right.
      [key, origin, typeof value === "string" ? value : JSON.stringify(value)].map((text) => printable(text, 100)),
    );
    const widths = [0, 1].map((at) => Math.max(...rows.map((row) => row[at].length)));
    tell(
      rows
        .map(([key, origin, value]) => `  ${key.padEnd(widths[0])}  ${origin.padEnd(widths[1])}  ${value}\n`)
        .join(""),
    );
  });

const originOf = (name: string, flag?: boolean): string => {
  if (flag) return "the command line";
  return process.env[name] ? `environment ${name}` : "default";
};

export const config = new Command("config")
  .description("look at settings and where they come from")
  .addCommand(printCommand);
