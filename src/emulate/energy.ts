/** Energy of one run, by event: estimates with a range, never a measurement. */
import { type Command, type Operand, type Program, STORAGE_BYTES, type WeightOperand } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { bytesOfView, engineCycles, macsOf } from "./cycles.ts";
import { bytesOfElement } from "./operand.ts";
import type { Timing } from "./timing.ts";
import { voltageFactor } from "./voltage.ts";

export interface Range {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

const PARTS = ["macs", "macsInt4", "macsInt16", "vector", "sram", "dram", "leakage"] as const;

export interface Energy {
  /** Of one SoC's run, without what the board draws anyway. */
  readonly mJ: Range;
  /** Millijoules by event, for the report. */
  readonly parts: Readonly<Record<(typeof PARTS)[number], Range>>;
  readonly events: Events;
}

/** What costs energy, counted. */
export interface Events {
  /** Multiply-accumulates of the array with operands of 8 bits, and with one of 16 bits. */
  readonly macs: number;
  readonly macsInt16: number;
  /** With weights of 4 bits; with operands of 16 bits, each of the array's passes. */
  readonly macsInt4: number;
  readonly vectorOperations: number;
  readonly sramBytes: number;
  readonly dramBytes: number;
}

const LEVELS = ["low", "mid", "high"] as const;

export function rangeOf(of: (level: (typeof LEVELS)[number]) => number): Range {
  return { low: of("low"), mid: of("mid"), high: of("high") };
}

/** Bytes that a command reads and writes in SRAM; an operand of a reduction counts once for every time the array reads it. */
function sramBytes(command: Command, target: Target): number {
  const once = (operands: readonly (Operand | undefined)[]) =>
    operands.reduce((sum, operand) => sum + (operand && operand.space === "sram" ? bytesOfView(operand) : 0), 0);
  switch (command.kind) {
    case "dma-read":
      // Each SRAM that a broadcast reaches is written.
      return once([command.to]) * (command.npus?.length ?? 1);
    case "dma-write":
      return once([command.from]);
    case "conv":
    case "deconv":
    case "matmul": {
      // Every cycle reads one vector of activations and one of weights; every result is written once.
      const { rows, columns, inputs } = target.array;
      const weight = bytesOfElement(weightsOf(command));
      return engineCycles(command, target) * (rows + columns * weight) * inputs + bytesOfView(command.y);
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

type Linear = Extract<Command, { kind: "conv" | "deconv" | "matmul" }>;

function weightsOf(command: Linear): WeightOperand {
  return command.kind === "matmul" ? command.b : command.w;
}

function hasInt4Weights(command: Command): boolean {
  const linear = command.kind === "conv" || command.kind === "deconv" || command.kind === "matmul";
  return linear && weightsOf(command).dtype === "int4";
}

/** Whether the array needs more than one pass for an operand. */
function isWide(command: Command): boolean {
  if (command.kind === "matmul") return STORAGE_BYTES[command.a.dtype] > 1 || STORAGE_BYTES[command.b.dtype] > 1;
  return (command.kind === "conv" || command.kind === "deconv") && STORAGE_BYTES[command.x.dtype] > 1;
}

function eventsOf(commands: readonly Command[], timing: Timing, target: Target): Events {
  let [macs, macsInt4, macsInt16, vectorOperations, sram] = [0, 0, 0, 0, 0];
  for (const command of commands) {
    const own = macsOf(command);
    if (command.engine === "vector") {
      vectorOperations += Math.max(own, engineCycles(command, target) * target.vector.lanes);
    } else if (hasInt4Weights(command)) macsInt4 += own * (isWide(command) ? target.array.int16Passes : 1);
    else if (isWide(command)) macsInt16 += own;
    else macs += own;
    sram += sramBytes(command, target);
  }
  return { macs, macsInt4, macsInt16, vectorOperations, sramBytes: sram, dramBytes: timing.dramBusBytes };
}

/**
 * The energy of an entry whose timing is known. Units: picojoules an event, millijoules in the result. What the chip does
 * costs V², what it leaks V, both told for the fastest clock of the description; the DRAM has a voltage of its own.
 */
export function energyOf(program: Program, timing: Timing, target: Target, entry = program.entries[0]?.name): Energy {
  const commands = program.entries.find(({ name }) => name === entry)?.commands ?? [];
  const events = eventsOf(commands, timing, target);
  const { macInt8, macInt16, macInt4, vectorOperation, sramByte, dramByte, leakageWatts } = target.energy;
  const factor = voltageFactor(target);
  const seconds = timing.ms / 1000;
  const dynamic = (count: number, picojoules: Range) =>
    rangeOf((level) => count * picojoules[level] * factor * factor * 1e-9);
  const passes = target.array.int16Passes;
  const parts = {
    macs: dynamic(events.macs, macInt8),
    macsInt4: dynamic(events.macsInt4, macInt4 ?? macInt8),
    macsInt16: dynamic(events.macsInt16, macInt16 ?? rangeOf((level) => macInt8[level] * passes)),
    vector: dynamic(events.vectorOperations, vectorOperation),
    sram: dynamic(events.sramBytes, sramByte),
    dram: rangeOf((level) => events.dramBytes * dramByte[level] * 1e-9),
    leakage: rangeOf((level) => leakageWatts[level] * program.npus * factor * seconds * 1e3),
  };
  const mJ = rangeOf((level) => PARTS.reduce((sum, part) => sum + parts[part][level], 0));
  return { mJ, parts, events };
}
