import { Command } from "commander";
import type { Fault } from "../checker/fault.ts";
import { CompileError } from "../error.ts";
import { printable } from "../report/escape.ts";
import { formatCount, formatTable } from "../report/table.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly profile?: string;
  readonly json?: boolean;
}

/** Lines of the table of accumulators; `--json` has all. */
const SHOWN = 12;

export const check = new Command("check")
  .description("prove an artifact's program safe without the scheduler's word: order, memory, accumulators, deadline")
  .argument("<artifact>", "a .dopt file")
  .option("--profile <name>", "whose deadline counts (default: the artifact's)")
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const { checkArtifact } = await import("../checking.ts");
    const result = checkArtifact(path, flags.profile === undefined ? {} : { profile: flags.profile });
    const { faults, deadline, ranges, commands } = result;
    if (flags.json)
      printJson({ schema: "optimus-compile/check@1", artifact: path, safe: faults.length === 0, ...result });
    else {
      for (const fault of faults) tell(line(fault));
      if (faults.length === 0) tell(summary(commands, ranges, deadline?.says));
    }
    if (faults.length > 0) throw unsafe(faults);
    if (deadline && !deadline.met) {
      const { missedDeadline } = await import("../build/check.ts");
      throw missedDeadline(deadline);
    }
  });

function line({ kind, entry, command, where, says }: Fault): string {
  const place = command === undefined ? entry : `${entry}, command ${command}`;
  return `✗ ${kind}: ${printable(where)} (${printable(place)}): ${printable(says, 400)}\n`;
}

function unsafe(faults: readonly Fault[]): CompileError {
  const [{ kind, where, says }] = faults;
  return new CompileError("trust/unsafe-program", `the program is not safe to run: ${kind}: ${says}`, {
    where,
    remedy: "Do not run this artifact; build it again.",
  });
}

function summary(
  commands: number,
  ranges: readonly { layer: string; what: string; min: number; max: number; bits: number; limitBits: number }[],
  deadline: string | undefined,
): string {
  const tight = [...ranges].sort((a, b) => a.limitBits - a.bits - (b.limitBits - b.bits)).slice(0, SHOWN);
  const rows = tight.map(({ layer, what, min, max, bits, limitBits }) => [
    printable(layer),
    what,
    `${formatCount(Math.round(min))} to ${formatCount(Math.round(max))}`,
    `${bits} of ${limitBits} bits`,
  ]);
  return [
    `✓ ${formatCount(commands)} commands: ordered, within their memories, nothing read unwritten, nothing overwritten early\n`,
    `✓ ${formatCount(ranges.length)} accumulators proven; the tightest:\n${formatTable([["layer", "what", "from, to", "needs"], ...rows])}`,
    `✓ ${deadline ?? "no deadline"}\n`,
  ].join("");
}
