/**
 * When every command of an entry begins and ends. Engines execute their own commands in program order and wait for the
 * commands named; the DRAM serves one transfer at a time, first come first served. Everything is a function of the
 * Program and the target: the same cycles on every machine.
 */
import type { Command, Engine, Operand, Program } from "../schedule/program.ts";
import type { Profile, Target } from "../target/schema.ts";
import { burstBytes, bytesOfView, countOf, dramBytesPerCycle, engineCycles, macsOf } from "./cycles.ts";

export interface CommandTime {
  readonly start: number;
  readonly end: number;
  /** What it began as soon as: the engine was free, a command had ended, or the DRAM was free. */
  readonly reason: "engine" | "wait" | "dram";
  /** The command whose end it waited for last, where the reason is `wait`. */
  readonly waitedFor?: number;
}

export interface Timing {
  readonly commands: readonly CommandTime[];
  readonly cycles: number;
  readonly ms: number;
  /** Bytes over the DRAM bus: what the program asked for, and with every run rounded up to bursts. */
  readonly dramBytes: number;
  readonly dramBusBytes: number;
  readonly sramPeakBytes: number;
  readonly busy: Readonly<Record<Engine, number>>;
  readonly macs: number;
  /** MACs over what the array could have done in these cycles. */
  readonly arrayUtilization: number;
}

const ENGINES: readonly Engine[] = ["array", "vector", "dma-in", "dma-out", "cpu"];

/** The DRAM side of a command; undefined where it has none. */
function dramOperand(command: Command): Operand | undefined {
  if (command.kind === "dma-read") return command.from;
  if (command.kind === "dma-write") return command.to;
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

interface Cost {
  /** The engine's own work; for a transfer, the DRAM's. */
  readonly cycles: number;
  readonly latency: number;
  readonly bytes: number;
  readonly busBytes: number;
}

function costOf(command: Command, target: Target, bytesPerCycle: number): Cost {
  const operand = dramOperand(command);
  if (operand === undefined) {
    const cycles = engineCycles(command, target) + hostCycles(command, target);
    return { cycles: cycles + (command.kind === "stop" ? 0 : target.issueCycles), latency: 0, bytes: 0, busBytes: 0 };
  }
  const busBytes = burstBytes(operand, target);
  const cycles = Math.ceil(busBytes / bytesPerCycle);
  return { cycles, latency: target.dma.latencyCycles, bytes: bytesOfView(operand), busBytes };
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
  const { times, busy } = simulate(commands, costs);
  const cycles = times.reduce((most, { end }) => Math.max(most, end), 0);
  const macs = commands.reduce((sum, command) => sum + macsOf(command), 0);
  const { rows, columns } = target.array;
  return {
    commands: times,
    cycles,
    ms: cycles / (target.clockGHz * 1e6),
    dramBytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    dramBusBytes: costs.reduce((sum, { busBytes }) => sum + busBytes, 0),
    sramPeakBytes: program.plan[index]?.sramPeakBytes ?? 0,
    busy,
    macs,
    arrayUtilization: cycles === 0 ? 0 : macs / (cycles * rows * columns),
  };
}

interface Head {
  readonly id: number;
  readonly start: number;
  readonly reason: CommandTime["reason"];
  readonly waitedFor?: number;
}

/**
 * Takes, among the next commands of all engines whose waits have ended in the simulation, the one that can begin first
 * (of equals the earlier in the program). Waits name earlier commands only, so there is always one.
 */
function simulate(commands: readonly Command[], costs: readonly Cost[]) {
  const queues = ENGINES.map((engine) => commands.flatMap((command, id) => (command.engine === engine ? [id] : [])));
  const heads = ENGINES.map(() => 0);
  const free = ENGINES.map(() => 0);
  const busy: Record<Engine, number> = { array: 0, vector: 0, "dma-in": 0, "dma-out": 0, cpu: 0 };
  const ends = new Float64Array(commands.length).fill(-1);
  const times = new Array<CommandTime>(commands.length);
  let dramFree = 0;
  const head = (engine: number): Head | undefined => {
    const id = queues[engine][heads[engine]];
    if (id === undefined) return undefined;
    let found: Head = { id, start: free[engine], reason: "engine" };
    for (const wait of commands[id].waits) {
      if (ends[wait] < 0) return undefined;
      if (ends[wait] > found.start) found = { id, start: ends[wait], reason: "wait", waitedFor: wait };
    }
    if (costs[id].busBytes > 0 && dramFree > found.start) found = { id, start: dramFree, reason: "dram" };
    return found;
  };
  for (let done = 0; done < commands.length; done++) {
    let next: Head | undefined;
    let engine = 0;
    for (let candidate = 0; candidate < ENGINES.length; candidate++) {
      const found = head(candidate);
      const sooner = found && (!next || found.start < next.start || (found.start === next.start && found.id < next.id));
      if (found && sooner) [next, engine] = [found, candidate];
    }
    if (next === undefined) throw new Error("bug: every engine waits for another");
    const { cycles, latency, busBytes } = costs[next.id];
    const released = next.start + cycles;
    // The next request may be served while the last bytes are still on their way.
    free[engine] = released;
    if (busBytes > 0) dramFree = released;
    ends[next.id] = released + latency;
    busy[ENGINES[engine]] += cycles;
    const { start, reason, waitedFor } = next;
    times[next.id] = { start, end: ends[next.id], reason, ...(waitedFor === undefined ? {} : { waitedFor }) };
    heads[engine]++;
  }
  return { times, busy };
}
