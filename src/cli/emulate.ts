import { Command, Option } from "commander";
import type { Emulation } from "../emulation.ts";
import { printable } from "../report/escape.ts";
import { formatBytes, formatCount, formatMs, formatShare, formatTable } from "../report/table.ts";
import { interruptible } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { print, printJson } from "./terminal.ts";

interface Flags {
  readonly profile?: string;
  readonly input?: string;
  readonly output?: string;
  readonly executor: "machine" | "fast";
  readonly trace?: string;
  readonly traceRun?: number;
  readonly runs?: number;
  readonly seed?: number;
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
  .option("--trace <json>", "where to write what every engine does, for Chrome's and Perfetto's trace viewers")
  .option("--trace-run <n>", "show the n-th of the runs drawn instead of the run without others", wholeNumber(1))
  .option("--runs <count>", "runs to draw among other clients of the chip (default: 200)", wholeNumber(0))
  .option("--seed <number>", "what they are drawn from (default: 0)", wholeNumber(0))
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const { emulateArtifact } = await import("../emulation.ts");
    const result = await interruptible((signal) => emulateArtifact(path, { ...flags, signal }));
    if (flags.json) return printJson({ schema: "optimus-compile/emulate@2", artifact: path, ...result });
    print(formatTable(rowsOf(result), ""));
    if (result.contention.worstCaseCycles !== undefined) print(assumptionsOf(result));
    const { samples, output, trace, redundancy } = result;
    if (samples > 0)
      print(`${samples} samples ran${output === undefined ? "" : `; outputs in ${printable(output, 4096)}`}\n`);
    if (redundancy !== undefined)
      print(`both SoCs agree on ${redundancy.frames} frames, at most ${formatMs(redundancy.largestSkewMs)} apart\n`);
    if (trace !== undefined) print(`trace in ${printable(trace, 4096)} (open it in ui.perfetto.dev)\n`);
  });

function rowsOf({ profile, latency, memory, energy, power, deadline, checked, contention }: Emulation): string[][] {
  const { limitMs, met } = deadline;
  const toMs = (cycles: number) => formatMs(cycles / (power.clockGHz * 1e6));
  const { medianCycles, p99Cycles, worstCaseCycles, runs, seed } = contention;
  const draws = `${formatCount(runs)} runs drawn with seed ${seed}`;
  const worst =
    worstCaseCycles === undefined
      ? ["at worst", "unbounded", "others may take all of the DRAM"]
      : ["at worst", toMs(worstCaseCycles), "never exceeded while what stands below holds"];
  return [
    ["profile", printable(profile), ""],
    ["latency", formatMs(latency.ms), `${formatCount(latency.cycles)} cycles at ${power.clockGHz} GHz, alone`],
    ...(runs === 0 ? [] : [["among others", toMs(medianCycles), `median; 99 % within ${toMs(p99Cycles)}; ${draws}`]]),
    worst,
    ...(limitMs === undefined ? [] : [["deadline", formatMs(limitMs), met ? "kept at worst" : "not kept at worst"]]),
    ["floor", formatCount(latency.floorCycles), `cycles; ${formatShare(latency.efficiency, 0)} of it reached`],
    ["roofline", formatCount(latency.rooflineCycles), "cycles"],
    ["SRAM peak", formatBytes(memory.sramPeakBytes), "per NPU"],
    ["DRAM traffic", formatBytes(memory.dramBytesPerInference), "per inference"],
    ["energy", formatMJ(energy.mJ), `the chip's own, per inference; an estimate: ${spread(energy.mJ)}`],
    ["", formatMJ(energy.boardMJ), `with the board's idle power, ${power.boardWatts.mid.toFixed(0)} W in all`],
    ["throughput", formatRate(power.inferencesPerSecond), "inferences/s of the whole board, alone"],
    ...(power.note === undefined ? [] : [["power", `${power.clockGHz} GHz`, power.note]]),
    ["checked", formatCount(checked.commands), `commands safe, ${formatCount(checked.proven)} accumulators in range`],
  ];
}

/** What the worst case stands on. */
function assumptionsOf({ contention }: Emulation): string {
  return `\nat worst, that is, while\n${contention.assumptions.map((one) => `  - ${one}\n`).join("")}\n`;
}

type Millijoules = Emulation["energy"]["mJ"];

const formatRate = (rate: number): string => (rate >= 100 ? formatCount(rate) : rate.toPrecision(3));

const formatMJ = ({ mid }: Millijoules): string => `${mid.toPrecision(3)} mJ`;

const spread = ({ low, high }: Millijoules): string => `${low.toPrecision(2)} to ${high.toPrecision(2)}`;
