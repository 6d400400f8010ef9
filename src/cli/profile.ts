import { Command } from "commander";
import { collect, wholeNumber } from "./options.ts";
import { paint, print, printJson } from "./terminal.ts";

interface Flags {
  readonly profile?: string;
  readonly top: number;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

export const profile = new Command("profile")
  .description("show where an artifact's time goes: its layers, what bounds each, and what would help")
  .argument("<artifact>", "a .dopt file")
  .option("--profile <name>", "what else the chip is doing (default: the artifact's)")
  .option("--top <count>", "layers to show", wholeNumber(1), 20)
  .option("--set <figure=value>", "time the same program on another chip: dram.GBps=448 (repeatable)", collect)
  .option("--json", "print one JSON document")
  .action(async (path: string, { json, top, set, profile: name }: Flags) => {
    const { profileArtifact } = await import("../profile.ts");
    const result = profileArtifact(path, { top, ...(set && { set }), ...(name !== undefined && { profile: name }) });
    if (json) return printJson({ schema: "optimus-compile/profile@1", artifact: path, ...result });
    const { profileTable } = await import("./profile-table.ts");
    print(profileTable(result, top, process.stdout.columns ?? 160, paint));
  });
