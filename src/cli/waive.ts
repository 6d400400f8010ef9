import { Command } from "commander";
import { print } from "./terminal.ts";

interface Flags {
  readonly gate: string;
  readonly artifact: string;
  readonly until: string;
  readonly reason: string;
  readonly key: string;
  readonly output?: string;
}

export const waive = new Command("waive")
  .description("sign that a gate of an artifact may fail until a day")
  .requiredOption("--gate <name>", "as `gate` names it: maxCycles, baseline.maxDrop")
  .requiredOption("--artifact <digest|name>", "one artifact by its digest, or all that a recipe's name stands for")
  .requiredOption("--until <day>", "the last day, YYYY-MM-DD in UTC")
  .requiredOption("--reason <text>", "why; whoever reads the report reads it")
  .requiredOption("--key <pem>", "the private key of who answers for it; not the build's")
  .option("--output <file>", "where to write it (default: standard output)")
  .action(async ({ key: path, output, ...waiver }: Flags) => {
    const [{ signWaiver }, { readPrivateKey }, { writeFileAtomic }] = await Promise.all([
      import("../gate/waiver.ts"),
      import("../artifact/keys.ts"),
      import("../artifact/file.ts"),
    ]);
    const bytes = await signWaiver(waiver, readPrivateKey(path));
    if (output === undefined) return print(`${new TextDecoder().decode(bytes)}\n`);
    writeFileAtomic(output, [bytes]);
    print(`waiver of ${waiver.gate} for ${waiver.artifact} until ${waiver.until}: ${output}\n`);
  });
