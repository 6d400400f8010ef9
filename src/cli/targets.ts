import { Command } from "commander";
import type { Sweep, Variant } from "../sweep.ts";
import { interruptible } from "./interrupt.ts";
import { collect, isCi, wholeNumber } from "./options.ts";
import { print, printJson, say, warn } from "./terminal.ts";

const list = async (flags: { readonly json?: boolean }) => {
  const [{ listTargets, loadTarget }, { formatTable }] = await Promise.all([
    import("../target/load.ts"),
    import("../report/table.ts"),
  ]);
  const known = listTargets().map((name) => {
    const { summary, profiles } = loadTarget(name);
    return { name, summary, profiles: Object.keys(profiles) };
  });
  if (flags.json) return printJson({ schema: "optimus-compile/targets@1", targets: known });
  print(
    formatTable(
      known.map(({ name, summary, profiles }) => [name, summary, `profiles: ${profiles.join(", ")}`]),
      "",
    ),
  );
};

const show = new Command("show")
  .description("print a hardware description: every figure, and where it comes from")
  .argument("<name>", "name of the target")
  .option("--set <figure=value>", "what if: sram=1MiB, dram.GBps=448 (repeatable)", collect)
  .option("--json", "print one JSON document")
  .action(async (name: string, flags: { readonly set?: readonly string[]; readonly json?: boolean }) => {
    const [{ loadTarget }, { formatTarget }] = await Promise.all([
      import("../target/load.ts"),
      import("./target-figures.ts"),
    ]);
    const target = loadTarget(name, flags.set === undefined ? {} : { set: flags.set });
    if (flags.json) return printJson({ schema: "optimus-compile/target@1", ...target });
    print(`${target.name}: ${target.summary}\n${formatTarget(target.figures, process.stdout.columns ?? 120)}`);
  });

interface SweepFlags {
  readonly set?: readonly string[];
  readonly profile?: string;
  readonly jobs?: number;
  readonly json?: boolean;
  readonly ci?: boolean;
}

const sweep = new Command("sweep")
  .description("a recipe's network on variants of a target, in one table")
  .argument("<name>", "name of the target")
  .argument("<recipe>", "a YAML file, for example recipes/quickstart.yaml")
  .option("--set <figure=value,...>", "a variant: sram=64MiB,dram.GBps=448 (repeatable)", collect)
  .option("--profile <name>", "what else the chip is doing (default: the recipe's)")
  .option("--jobs <n>", "worker threads for calibration", wholeNumber(1))
  .option("--json", "print one JSON document")
  .option("--ci", "unknown recipe keys are errors (on by itself where CI=true)")
  .action(async (name: string, path: string, flags: SweepFlags) => {
    const [{ loadRecipe }, { sweepTarget }] = await Promise.all([import("../recipe.ts"), import("../sweep.ts")]);
    const loaded = loadRecipe(path, { set: [`target=${name}`], strict: isCi(flags), warn });
    const recipe = { ...loaded, ...(flags.jobs !== undefined && { jobs: flags.jobs }) };
    const variants = (flags.set ?? []).map((text) => text.split(",").map((setting) => setting.trim()));
    const result = await interruptible((signal) =>
      sweepTarget(name, recipe, {
        variants,
        signal,
        ...(flags.profile !== undefined && { profile: flags.profile }),
        progress: { detail: () => undefined, warn },
      }),
    );
    if (flags.json) return printJson({ schema: "optimus-compile/sweep@2", ...result });
    await printSweep(result);
  });

async function printSweep({ target, profile, network, variants }: Sweep): Promise<void> {
  const { formatBytes, formatCount, formatMs, formatShare, formatTable } = await import("../report/table.ts");
  const [{ figures: base }] = variants;
  const heads = ["", "cycles", "time", "against", "bound by", "of the floor", "DRAM", "SRAM peak", "energy"];
  const row = ({ settings, figures, refused }: Variant): string[] => {
    const name = settings.join(",") || "as described";
    if (!figures) return [name, refused?.code ?? ""];
    const { cycles, ms, bound, efficiency, dramBytes, sramPeakBytes, mJ } = figures;
    return [
      name,
      formatCount(cycles),
      formatMs(ms),
      base === undefined ? "" : `${(ms / base.ms).toFixed(3)} ×`,
      bound,
      formatShare(efficiency, 1),
      formatBytes(dramBytes),
      formatBytes(sramPeakBytes),
      `${mJ.mid.toPrecision(3)} mJ (${mJ.low.toPrecision(2)} to ${mJ.high.toPrecision(2)})`,
    ];
  };
  print(`${network} on ${target}, profile ${profile}\n${formatTable([heads, ...variants.map(row)], "")}`);
  for (const { settings, refused } of variants) if (refused) say(`${settings.join(",")}: ${refused.message}`);
}

export const targets = new Command("targets")
  .description("list the hardware descriptions, show one, or compare variants of one")
  .option("--json", "print one JSON document")
  .action(list)
  .addCommand(show)
  .addCommand(sweep);
