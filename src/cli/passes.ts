import { Command } from "commander";
import { print, printJson } from "./terminal.ts";

export const passes = new Command("passes")
  .description("list the passes that a recipe can name, and the presets")
  .option("--json", "print one JSON document")
  .action(async (flags: { readonly json?: boolean }) => {
    const [{ listPasses, loadPass }, { listPresets, presetPasses }, { formatTable }] = await Promise.all([
      import("../passes.ts"),
      import("../presets.ts"),
      import("../report/table.ts"),
    ]);
    const known = listPasses().map((name) => ({ name, summary: loadPass(name).summary }));
    const presets = listPresets().map((name) => ({ name, passes: presetPasses(name) }));
    if (flags.json) return printJson({ schema: "optimus-compile/passes@1", passes: known, presets });
    print(`passes\n${formatTable(known.map(({ name, summary }) => [name, summary]))}`);
    for (const { name, passes: list } of presets) {
      print(`\npreset ${name}\n${list.flatMap((spec) => specLines(spec, "  ")).join("")}`);
    }
  });

/** One line a pass; what is repeated until nothing changes is indented below `repeat`. */
function specLines(spec: unknown, indent: string): string[] {
  if (typeof spec === "string") return [`${indent}${spec}\n`];
  const { repeat, pass, ...options } = spec as { repeat?: readonly unknown[]; pass?: string };
  if (repeat !== undefined) return [`${indent}repeat\n`, ...repeat.flatMap((inner) => specLines(inner, `${indent}  `))];
  const said = Object.keys(options).length === 0 ? "" : ` ${JSON.stringify(options)}`;
  return [`${indent}${pass}${said}\n`];
}
