/** Energy of one run, by event: estimates with a range, never a measurement. */
import type { Command, Operand, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { bytesOfView, engineCycles, macsOf } from "./cycles.ts";
import type { Timing } from "./timing.ts";

export interface Range {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

export interface Energy {
  readonly mJ: Range;
  /** Millijoules by event, for the report. */
  readonly parts: Readonly<Record<"macs" | "vector" | "sram" | "dram" | "leakage", Range>>;
}

const LEVELS = ["low", "mid", "high"] as const;

function range(of: (level: (typeof LEVELS)[number]) => number): Range {
  return { low: of("low"), mid: of("mid"), high: of("high") };
}

/** Bytes that a command reads and writes in SRAM; an operand of a reduction counts once for every time the array reads it. */
function sramBytes(command: Command, target: Target): number {
  const once = (operands: readonly (Operand | undefined)[]) =>
    operands.reduce((sum, operand) => sum + (operand && operand.space === "sram" ? bytesOfView(operand) : 0), 0);
  switch (command.kind) {
    case "dma-read":
    case "dma-write":
      return once([command.from, command.to]);
    case "conv":
    case "deconv":
    case "matmul": {
      // Every cycle reads one vector of activations and one of weights; every result is written once.
      const cycles = engineCycles(command, target);
      return cycles * (target.array.rows + target.array.columns) + bytesOfView(command.y);
    }
    case "eltwise":
      return once([command.a, command.b, command.y]);
    case "fill":
      return once([command.y]);
    case "cpu":
    case "stop":
      return 0;
    default:
      return once([command.x, command.y]);
  }
}

/** The energy of an entry whose timing is known. Units: picojoules an event, millijoules in the result. */
export function energyOf(program: Program, timing: Timing, target: Target, entry = program.entries[0]?.name): Energy {
  const commands = program.entries.find(({ name }) => name === entry)?.commands ?? [];
  let [macs, operations, sram] = [0, 0, 0];
  for (const command of commands) {
    const own = macsOf(command);
    if (command.engine === "vector") operations += Math.max(own, engineCycles(command, target) * target.vector.lanes);
    else macs += own;
    sram += sramBytes(command, target);
  }
  const { energy } = target;
  const seconds = timing.ms / 1000;
  const parts = {
    macs: range((level) => macs * energy.macInt8[level] * 1e-9),
    vector: range((level) => operations * energy.vectorOperation[level] * 1e-9),
    sram: range((level) => sram * energy.sramByte[level] * 1e-9),
    dram: range((level) => timing.dramBusBytes * energy.dramByte[level] * 1e-9),
    leakage: range((level) => energy.leakageWatts[level] * seconds * 1e3),
  };
  const mJ = range((level) => Object.values(parts).reduce((sum, part) => sum + part[level], 0));
  return { mJ, parts };
}
