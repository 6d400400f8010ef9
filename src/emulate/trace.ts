/**
 * A run as Chrome and Perfetto show it: a process an NPU with a track for each of its engines, one for what all share
 * (DRAM, host), and counters. Times are microseconds of the emulated chip; names are the teacher's own nodes.
 */
import type { Command, Engine, PlannedBuffer, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import type { Delay, Replay } from "./contention/replay.ts";
import { criticalPath } from "./critical-path.ts";
import { engineCycles } from "./cycles.ts";
import type { Timeline } from "./timing.ts";

type Values = Readonly<Record<string, string | number | boolean>>;

/** The part of the Trace Event Format that is used: M names tracks, X is a slice, C a counter. */
export interface TraceEvent {
  readonly ph: "M" | "X" | "C";
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Values;
}

export interface Trace {
  readonly displayTimeUnit: "ns";
  readonly otherData: Values;
  readonly traceEvents: readonly TraceEvent[];
}

const TRACKS: readonly Engine[] = ["array", "vector", "dma-in", "dma-out"];
/** The process of what all NPUs share; its tracks. */
const SHARED = 1;
const [DRAM, HOST] = [0, 1];
/** Values of the bandwidth's counter. */
const WINDOWS = 400;

/** `replay`: the run among others that is to be shown instead of the timeline's own. */
export function traceOf(program: Program, alone: Timeline, target: Target, replay?: Replay): Trace {
  const timeline = replay === undefined ? alone : { ...alone, simulation: replay };
  const { commands, costs, simulation } = timeline;
  const micro = (cycles: number) => cycles / (target.clockGHz * 1e3);
  const critical = new Set(criticalPath(simulation).map(({ id }) => id));
  const slices: TraceEvent[] = [];
  for (const [id, command] of commands.entries()) {
    const { start, released, end, reason, waitedFor } = simulation.times[id];
    const { dramCycles, bytes, busBytes } = costs[id];
    const waited = waitedFor === undefined ? reason : `${reason}: ${describe(commands[waitedFor], waitedFor)}`;
    const args = {
      command: id,
      cycles: released - start,
      endCycle: end,
      waitedFor: waited,
      critical: critical.has(id),
      ...(busBytes > 0 ? { bytes, busBytes } : { work: engineCycles(command, target) }),
      ...(replay && lostTo(replay.delays[id])),
      ...(command.origin.length > 1 && { origin: command.origin.join(", ") }),
    };
    const served = replay === undefined ? start + dramCycles : replay.delays[id].served;
    const slice = { ph: "X", name: nameOf(command), cat: command.kind, ts: micro(start) } as const;
    const track = TRACKS.indexOf(command.engine);
    const place = track < 0 ? { pid: SHARED, tid: HOST } : { pid: SHARED + 1 + command.npu, tid: track };
    slices.push({ ...slice, ...place, dur: micro(released - start), args });
    if (dramCycles > 0) {
      const dram = { command: id, cycles: served - start, bytes, busBytes, npu: command.npu };
      slices.push({ ...slice, pid: SHARED, tid: DRAM, dur: micro(served - start), args: dram });
    }
  }
  const counters = [
    ...sramCounters(program.plan[0]?.buffers ?? [], timeline, micro),
    ...bandwidthCounter(timeline, target, micro, replay),
  ];
  const events = [...slices, ...counters].sort((a, b) => a.ts - b.ts || a.pid - b.pid || a.tid - b.tid);
  const about = { program: program.name, target: target.name, clockGHz: target.clockGHz, cycles: simulation.cycles };
  return { displayTimeUnit: "ns", otherData: about, traceEvents: [...namesOf(program.npus), ...events] };
}

/** What held a command up while it ran, in cycles. */
function lostTo({ refresh, others, slots }: Delay): Values {
  return {
    ...(refresh > 0 && { lostToRefresh: refresh }),
    ...(others > 0 && { lostToOthers: others }),
    ...(slots > 0 && { lostToSlots: slots }),
  };
}

function nameOf({ origin, kind }: Command): string {
  if (origin.length === 0) return kind;
  return origin.length === 1 ? origin[0] : `${origin[0]} +${origin.length - 1}`;
}

function describe(command: Command, id: number): string {
  return `${command.kind} ${id} of ${nameOf(command)} on ${command.engine}${command.npu > 0 ? ` of NPU ${command.npu}` : ""}`;
}

function namesOf(npus: number): TraceEvent[] {
  const named = (pid: number, tid: number, kind: string, name: string): TraceEvent => ({
    ...{ ph: "M", name: kind, pid, tid, ts: 0, args: { name } },
  });
  const order = (pid: number, tid: number): TraceEvent => ({
    ...{ ph: "M", name: "thread_sort_index", pid, tid, ts: 0, args: { sort_index: tid } },
  });
  const found = [named(SHARED, 0, "process_name", "shared")];
  for (const [tid, name] of ["DRAM", "host"].entries()) {
    found.push(named(SHARED, tid, "thread_name", name), order(SHARED, tid));
  }
  for (let npu = 0; npu < npus; npu++) {
    const pid = SHARED + 1 + npu;
    found.push(named(pid, 0, "process_name", `NPU ${npu}`));
    for (const [tid, name] of TRACKS.entries()) found.push(named(pid, tid, "thread_name", name), order(pid, tid));
  }
  return found;
}

/** Bytes of SRAM that buffers hold, an NPU each: from the start of the first command that touches one to the end of the last. */
function sramCounters(
  buffers: readonly PlannedBuffer[],
  { simulation: { times } }: Timeline,
  micro: (cycles: number) => number,
): TraceEvent[] {
  const changes = buffers
    .filter(({ space, first, last }) => space === "sram" && times[first] !== undefined && times[last] !== undefined)
    .flatMap(({ npu, bytes, first, last }) => [
      { npu, at: times[first].start, bytes },
      { npu, at: Math.max(times[first].end, times[last].end), bytes: -bytes },
    ]);
  // Of equal times what is freed first.
  changes.sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  const held = new Map<number, number>();
  const values = new Map<string, TraceEvent>();
  for (const { npu, at, bytes } of changes) {
    const now = (held.get(npu) ?? 0) + bytes;
    held.set(npu, now);
    const value = {
      ph: "C",
      name: "SRAM",
      pid: SHARED + 1 + npu,
      tid: 0,
      ts: micro(at),
      args: { bytes: now },
    } as const;
    values.set(`${npu} ${at}`, value);
  }
  return [...values.values()];
}

/** GB/s over the DRAM bus, averaged over equal windows. */
function bandwidthCounter(
  { costs, simulation: { times, cycles } }: Timeline,
  { clockGHz }: Target,
  micro: (cycles: number) => number,
  replay: Replay | undefined,
): TraceEvent[] {
  const width = Math.max(1, Math.ceil(cycles / WINDOWS));
  const moved = new Float64Array(Math.ceil(cycles / width) + 1);
  for (const [id, { dramCycles, busBytes }] of costs.entries()) {
    if (dramCycles === 0) continue;
    const { start } = times[id];
    const end = replay === undefined ? start + dramCycles : replay.delays[id].served;
    for (let at = start; at < end; ) {
      const window = Math.floor(at / width);
      const until = Math.min(end, (window + 1) * width);
      moved[window] += (busBytes * (until - at)) / (end - start);
      at = until;
    }
  }
  return Array.from(moved, (bytes, window) => {
    const GBps = Math.round((100 * bytes * clockGHz) / width) / 100;
    return { ph: "C", name: "DRAM", pid: SHARED, tid: 0, ts: micro(window * width), args: { GBps } } as const;
  });
}
