import { Command, Option } from "commander";
import { printable } from "../report/escape.ts";
import { formatBytes, formatCount, formatMs, formatShare, formatTable } from "../report/table.ts";
import { interruptible } from "./interrupt.ts";
import { print, printJson } from "./terminal.ts";

interface Flags {
  readonly profile?: string;
  readonly input?: string;
  readonly output?: string;
  readonly executor: "machine" | "fast";
  readonly json?: boolean;
}

export const emulate = new Command("emulate")
  .description("run an artifact on the emulated chip: its outputs, and its time")
  .argument("<artifact>", "a .dopt file")
  .option("--profile <name>", "what else the chip is doing (default: the artifact's)")
  .option("--input <npz>", "arrays named as the inputs, the first axis counts the samples")
  .option("--output <npz>", "where the outputs go, as real numbers")
  .addOption(
    new Option(
      "--executor <kind>",
      "the machine executes the program's commands, fast the record; both give the same bits",
    )
      .choices(["machine", "fast"])
      .default("machine"),
  )
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const { emulateArtifact } = await import("../emulation.ts");
    const result = await interruptible((signal) => emulateArtifact(path, { ...flags, signal }));
    if (flags.json) return printJson({ schema: "optimus-compile/emulate@1", artifact: path, ...result });
    const { profile, latency, memory, checked, samples, output } = result;
    const rows = [
      ["profile", printable(profile), ""],
      ["latency", formatMs(latency.ms), `${formatCount(latency.cycles)} cycles`],
      ["bound", formatCount(latency.boundCycles), `cycles; ${formatShare(latency.efficiency, 0)} of it reached`],
      ["roofline", formatCount(latency.rooflineCycles), "cycles"],
      ["SRAM peak", formatBytes(memory.sramPeakBytes), "per NPU"],
      ["DRAM traffic", formatBytes(memory.dramBytesPerInference), "per inference"],
      ["checked", formatCount(checked.commands), `commands safe, ${formatCount(checked.proven)} accumulators in range`],
    ];
    print(formatTable(rows, ""));
    if (samples > 0)
      print(`${samples} samples ran${output === undefined ? "" : `; outputs in ${printable(output, 4096)}`}\n`);
  });
