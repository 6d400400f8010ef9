/**
 * When every command of an entry begins and ends. Engines execute their own commands in program order and wait for the
 * commands named; the DRAM serves one transfer at a time, first come first served. Everything is a function of the
 * Program and the target: the same cycles on every machine.
 */
import type { Command, Engine, Operand, Program } from "../schedule/program.ts";
import type { Profile, Target } from "../target/schema.ts";
import { burstBytes, bytesOfView, countOf, dramBytesPerCycle, engineCycles, macsOf } from "./cycles.ts";
import { type CommandTime, flowOf, simulate, type Work } from "./simulate.ts";

export interface Timing {
  readonly commands: readonly CommandTime[];
  readonly cycles: number;
  readonly ms: number;
  /** Bytes over the DRAM bus: what the program asked for, and with every run rounded up to bursts. */
  readonly dramBytes: number;
  readonly dramBusBytes: number;
  readonly sramPeakBytes: number;
  /** Cycles in which an engine worked, all NPUs together. */
  readonly busy: Readonly<Record<Engine, number>>;
  readonly macs: number;
  /** MACs over what the arrays of all NPUs of the program could have done in these cycles. */
  readonly arrayUtilization: number;
}

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

interface Cost extends Work {
  readonly bytes: number;
  readonly busBytes: number;
}

function costOf(command: Command, target: Target, bytesPerCycle: number): Cost {
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
  return { cycles, dramCycles, latency: latencyCycles, bytes: bytesOfView(operand), busBytes };
}

/** Times one entry of a program from cold weights. */
export function timeProgram(
  program: Program,
  target: Target,
  options: { entry?: string; profile?: string } = {},
): Timing {
  const index = program.entries.findIndex(({ name }) => name === (options.entry ?? program.entries[0]?.name));
  const { commands } = program.entries[index];
  const profile: Profile | undefined = target.profiles[options.profile ?? target.defaultProfile];
  const perCycle = dramBytesPerCycle(target, profile?.dramShare ?? 1);
  const costs = commands.map((command) => costOf(command, target, perCycle));
  const { times, cycles } = simulate(flowOf(commands, costs));
  const busy: Record<Engine, number> = { array: 0, vector: 0, "dma-in": 0, "dma-out": 0, cpu: 0 };
  for (const [id, { engine }] of commands.entries()) busy[engine] += costs[id].cycles;
  const macs = commands.reduce((sum, command) => sum + macsOf(command), 0);
  const { rows, columns, inputs } = target.array;
  const arrays = rows * columns * inputs * program.npus;
  return {
    commands: times,
    cycles,
    ms: cycles / (target.clockGHz * 1e6),
    dramBytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    dramBusBytes: costs.reduce((sum, { busBytes }) => sum + busBytes, 0),
    sramPeakBytes: program.plan[index]?.sramPeakBytes ?? 0,
    busy,
    macs,
    arrayUtilization: cycles === 0 ? 0 : macs / (cycles * arrays),
  };
}
