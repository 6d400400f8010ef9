import { Command } from "commander";
import type { FigureSource } from "../target/schema.ts";
import { collect } from "./options.ts";
import { print, printJson } from "./terminal.ts";

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
    const [{ loadTarget }, { formatTable }] = await Promise.all([
      import("../target/load.ts"),
      import("../report/table.ts"),
    ]);
    const target = loadTarget(name, flags.set === undefined ? {} : { set: flags.set });
    if (flags.json) return printJson({ schema: "optimus-compile/target@1", ...target });
    print(`${target.name}: ${target.summary}\n\n${formatTable(target.figures.map(row))}`);
  });

function row({ path, value, source, assumed, confidence }: FigureSource): string[] {
  const origin = source === undefined ? `assumed: ${assumed}` : `source: ${source}`;
  return [path, typeof value === "object" ? JSON.stringify(value) : String(value), confidence, origin];
}

export const targets = new Command("targets")
  .description("list the hardware descriptions, or show one")
  .option("--json", "print one JSON document")
  .action(list)
  .addCommand(show);
