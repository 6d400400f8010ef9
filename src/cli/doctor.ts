import { Command } from "commander";
import { paint, printJson, tell } from "./terminal.ts";

interface Flags {
  readonly out: string;
  readonly json?: boolean;
}

const MARKS = { good: ["green", "✓"], warning: ["yellow", "!"], bad: ["red", "✗"] } as const;

export const doctor = new Command("doctor")
  .description("say whether this machine, and a recipe, are fit to build; exit status 2 where something is not")
  .argument("[recipe]", "a recipe to look at, too")
  .option("--out <folder>", "the folder that artifacts go to", "out")
  .option("--json", "print one JSON document")
  .action(async (recipe: string | undefined, { out, json }: Flags) => {
    const findings = await (await import("../doctor.ts")).examine(out, recipe);
    const healthy = findings.every(({ health }) => health !== "bad");
    if (json) printJson({ schema: "optimus-compile/doctor@1", healthy, findings });
    else {
      const { printableLines } = await import("../report/escape.ts");
      for (const { name, health, says, remedy } of findings) {
        const [colour, mark] = MARKS[health];
        tell(`${paint(colour, mark)} ${name}: ${printableLines(says).join("\n    ")}\n`);
        if (remedy !== undefined) tell(`    help: ${printableLines(remedy).join(" ")}\n`);
      }
    }
    process.exitCode = healthy ? 0 : 2;
  });
