/** What each command asks of its engine and of the DRAM. */
import type { Command, Operand } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { burstBytes, bytesOfView, countOf, engineCycles } from "./cycles.ts";
import type { Work } from "./simulate.ts";

/** The DRAM side of a command; undefined where it has none. */
function dramOperand(command: Command): Operand | undefined {
  if (command.kind === "dma-read") return command.from;
  if (command.kind === "dma-write") return command.to;
  // Rows of the longer axis, wherever they go.
  if (command.kind === "scatter")
    return command.y.space === "dram" ? { ...command.y, shape: command.x.shape } : undefined;
  if (command.kind !== "gather" || command.x.space !== "dram") return undefined;
  // Rows of the table: one run of the inner axis each.
  const { x, y } = command;
  return { ...x, shape: y.shape, strides: [x.strides[0], x.strides[1], x.strides[2]] };
}

/** The host: a call, then every element read and written. */
function hostCycles(command: Command, target: Target): number {
  if (command.kind !== "cpu") return 0;
  const elements = [...command.inputs, ...command.outputs].reduce((sum, { shape }) => sum + countOf(shape), 0);
  return Math.ceil(target.cpu.callCycles + elements * target.cpu.cyclesPerElement);
}

export interface Cost extends Work {
  /** Bytes over the DRAM bus: what the command asks for, and with every run rounded up to bursts. */
  readonly bytes: number;
  readonly busBytes: number;
  /** The view of the DRAM that the command moves; absent where it moves none. */
  readonly transfer?: Operand;
}

/** What a command asks of its engine and of the DRAM, which gives it so many bytes a cycle. */
export function costOf(command: Command, target: Target, bytesPerCycle: number): Cost {
  const operand = dramOperand(command);
  if (operand === undefined) {
    const own = engineCycles(command, target) + hostCycles(command, target);
    const cycles = own + (command.kind === "stop" ? 0 : target.issueCycles);
    return { cycles, dramCycles: 0, latency: 0, bytes: 0, busBytes: 0 };
  }
  const busBytes = burstBytes(operand, target);
  const dramCycles = Math.ceil(busBytes / bytesPerCycle);
  const { engines, bytesPerCycle: moved, latencyCycles } = target.dma;
  const cycles = Math.max(dramCycles, Math.ceil(busBytes / (engines * moved)));
  return { cycles, dramCycles, latency: latencyCycles, bytes: bytesOfView(operand), busBytes, transfer: operand };
}
