/**
 * When every command of an entry begins and ends. Engines execute their own commands in program order and wait for the
 * commands named; the DRAM serves one transfer at a time, first come first served. Everything is a function of the
 * Program and the target: the same cycles on every machine.
 */
import { bug } from "../error.ts";
import type { Command, Engine, Entry, Program } from "../schedule/program.ts";
import type { Profile, Target } from "../target/schema.ts";
import { type Cost, costOf } from "./costs.ts";
import { dramBytesPerCycle, macsOf, peakMacs } from "./cycles.ts";
import { withDrains } from "./drain.ts";
import { type CommandTime, type Flow, flowOf, type Simulation, simulate } from "./simulate.ts";

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

export interface TimingOptions {
  /** The first one where absent. */
  readonly entry?: string;
  readonly profile?: string;
}

/** An entry's commands with what they cost, and the run in which nobody else uses the chip. */
export interface Timeline {
  readonly commands: readonly Command[];
  readonly costs: readonly Cost[];
  readonly flow: Flow;
  readonly simulation: Simulation;
}

export function timelineOf(program: Program, target: Target, options: TimingOptions = {}): Timeline {
  const { commands } = entryOf(program, options.entry);
  const profile: Profile | undefined = target.profiles[options.profile ?? target.defaultProfile];
  const perCycle = dramBytesPerCycle(target, profile?.dramShare ?? 1);
  const alone = commands.map((command) => costOf(command, target, perCycle));
  const { works: costs, commands: ordered } = withDrains(commands, alone, target);
  const flow = flowOf(ordered, costs);
  return { commands, costs, flow, simulation: simulate(flow) };
}

/** By name; the first one where none is given. */
function entryOf(program: Program, name: string | undefined): Entry {
  const entry = name === undefined ? program.entries[0] : program.entries.find((one) => one.name === name);
  if (entry === undefined) throw bug(`the program has no entry ${name ?? ""}`);
  return entry;
}

/** Times one entry of a program from cold weights. */
export function timeProgram(program: Program, target: Target, options: TimingOptions = {}): Timing {
  return timingOf(program, target, timelineOf(program, target, options), options.entry);
}

/** What a timeline comes to. */
export function timingOf(program: Program, target: Target, timeline: Timeline, entry?: string): Timing {
  const { commands, costs, simulation } = timeline;
  const { times, cycles } = simulation;
  const plan = program.plan.find(({ name }) => name === entryOf(program, entry).name);
  const busy: Record<Engine, number> = { array: 0, vector: 0, "dma-in": 0, "dma-out": 0, cpu: 0 };
  for (const [id, { engine }] of commands.entries()) busy[engine] += costs[id].cycles;
  const macs = commands.reduce((sum, command) => sum + macsOf(command), 0);
  const arrays = peakMacs(target) * program.npus;
  return {
    commands: times,
    cycles,
    ms: cycles / (target.clockGHz * 1e6),
    dramBytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    dramBusBytes: costs.reduce((sum, { busBytes }) => sum + busBytes, 0),
    sramPeakBytes: plan?.sramPeakBytes ?? 0,
    busy,
    macs,
    arrayUtilization: cycles === 0 ? 0 : macs / (cycles * arrays),
  };
}
