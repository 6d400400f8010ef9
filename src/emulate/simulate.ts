/**
 * The order of a program's commands in time: engines execute their own commands in program order, commands wait for those
 * that they name, and the DRAM serves one transfer at a time. Knows nothing of what a command does, only what it costs.
 */
import type { Command } from "../schedule/program.ts";

/** What one command asks for, in cycles. */
export interface Work {
  /** Of its engine. */
  readonly cycles: number;
  /** Of the DRAM, from the beginning on; 0 where it does not touch it. Never more than `cycles`. */
  readonly dramCycles: number;
  /** From when the engine is free again until those that wait may begin. */
  readonly latency: number;
}

/** The commands as numbers: who comes before whom, and what each asks for. */
export interface Flow {
  readonly count: number;
  /** The command before it on its engine, or −1. */
  readonly before: Int32Array;
  /** Waits of command i: `waits[waitsFrom[i] … waitsFrom[i + 1])`. */
  readonly waitsFrom: Int32Array;
  readonly waits: Int32Array;
  readonly cycles: Float64Array;
  readonly dramCycles: Float64Array;
  readonly latency: Float64Array;
}

/** Why a command did not begin earlier. */
export type Reason = "start" | "engine" | "wait" | "dram";
const REASONS: readonly Reason[] = ["start", "engine", "wait", "dram"];

export interface CommandTime {
  readonly start: number;
  /** Its engine is free again; of a transfer, the last byte has left the DRAM. */
  readonly released: number;
  /** Commands that wait for it may begin. */
  readonly end: number;
  readonly reason: Reason;
  /** The command that it waited for last: on its engine, by name, or on the DRAM. Absent where it began at once. */
  readonly waitedFor?: number;
}

export interface Simulation {
  readonly times: readonly CommandTime[];
  /** Every command behind all that it waits for, and the users of the DRAM in the order in which it served them. */
  readonly order: Int32Array;
  readonly cycles: number;
}

/** `npu` and `engine` name a queue; the host is one for all. */
function queueOf({ npu, engine }: Command): string {
  return engine === "cpu" ? engine : `${npu} ${engine}`;
}

export function flowOf(commands: readonly Command[], works: readonly Work[]): Flow {
  const count = commands.length;
  const before = new Int32Array(count);
  const waitsFrom = new Int32Array(count + 1);
  const last = new Map<string, number>();
  for (const [id, command] of commands.entries()) {
    const queue = queueOf(command);
    before[id] = last.get(queue) ?? -1;
    last.set(queue, id);
    waitsFrom[id + 1] = waitsFrom[id] + command.waits.length;
  }
  const waits = new Int32Array(waitsFrom[count]);
  for (const [id, command] of commands.entries()) waits.set(command.waits, waitsFrom[id]);
  const cycles = Float64Array.from(works, (work) => work.cycles);
  const dramCycles = Float64Array.from(works, (work) => work.dramCycles);
  return { count, before, waitsFrom, waits, cycles, dramCycles, latency: Float64Array.from(works, (w) => w.latency) };
}

/** Ids with the smallest key first; of equals, the smallest id. */
class Queue {
  private readonly ids: number[] = [];
  private readonly keys: Float64Array;

  constructor(keys: Float64Array) {
    this.keys = keys;
  }

  get first(): number | undefined {
    return this.ids[0];
  }

  private sooner(a: number, b: number): boolean {
    return this.keys[a] < this.keys[b] || (this.keys[a] === this.keys[b] && a < b);
  }

  push(id: number): void {
    const { ids } = this;
    let at = ids.push(id) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.sooner(id, ids[parent])) break;
      ids[at] = ids[parent];
      at = parent;
    }
    ids[at] = id;
  }

  pop(): void {
    const { ids } = this;
    const id = ids.pop();
    if (id === undefined || ids.length === 0) return;
    let at = 0;
    for (let child = 1; child < ids.length; child = 2 * at + 1) {
      if (child + 1 < ids.length && this.sooner(ids[child + 1], ids[child])) child++;
      if (!this.sooner(ids[child], id)) break;
      ids[at] = ids[child];
      at = child;
    }
    ids[at] = id;
  }
}

/** Commands by those that they hold up: `followers[from[i] … from[i + 1])`, and how many hold each one up. */
function followersOf({ count, before, waitsFrom, waits }: Flow) {
  const from = new Int32Array(count + 1);
  const pending = new Int32Array(count);
  const each = (visit: (earlier: number, id: number) => void) => {
    for (let id = 0; id < count; id++) {
      if (before[id] >= 0) visit(before[id], id);
      for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) visit(waits[at], id);
    }
  };
  each((earlier, id) => {
    from[earlier + 1]++;
    pending[id]++;
  });
  for (let id = 0; id < count; id++) from[id + 1] += from[id];
  const followers = new Int32Array(from[count]);
  const next = from.slice();
  each((earlier, id) => {
    followers[next[earlier]++] = id;
  });
  return { from, followers, pending };
}

/**
 * Takes, among the commands whose waits have ended in the simulation, the one that can begin first (of equals the
 * earlier in the program). The DRAM serves whoever asks first.
 */
export function simulate(flow: Flow): Simulation {
  const { count, before, waitsFrom, waits, cycles, dramCycles, latency } = flow;
  const { from, followers, pending } = followersOf(flow);
  const ready = new Float64Array(count);
  const released = new Float64Array(count);
  const ends = new Float64Array(count);
  const reasons = new Uint8Array(count);
  const causes = new Int32Array(count).fill(-1);
  const times = new Array<CommandTime>(count);
  const order = new Int32Array(count);
  // Transfers that the DRAM would serve at once stand in `waiting`, which only their ids order.
  const [computing, asking] = [new Queue(ready), new Queue(ready)];
  const waiting = new Queue(new Float64Array(count));
  let [dramFree, dramLast, longest] = [0, -1, 0];

  const enqueue = (id: number): void => {
    const earlier = before[id];
    if (earlier >= 0) {
      ready[id] = released[earlier];
      if (released[earlier] > 0) [reasons[id], causes[id]] = [1, earlier];
    }
    for (let at = waitsFrom[id]; at < waitsFrom[id + 1]; at++) {
      if (ends[waits[at]] <= ready[id]) continue;
      ready[id] = ends[waits[at]];
      [reasons[id], causes[id]] = [2, waits[at]];
    }
    (dramCycles[id] > 0 ? asking : computing).push(id);
  };
  /** The next command: removed from its queue. Those of the DRAM start when it is free. */
  const take = (): number | undefined => {
    while (asking.first !== undefined && ready[asking.first] <= dramFree) {
      waiting.push(asking.first);
      asking.pop();
    }
    const transfers = waiting.first === undefined ? asking : waiting;
    const [transfer, other] = [transfers.first, computing.first];
    if (transfer === undefined || (other !== undefined && isSooner(other, transfer))) {
      computing.pop();
      return other;
    }
    transfers.pop();
    return transfer;
  };
  const isSooner = (other: number, transfer: number): boolean => {
    const start = Math.max(ready[transfer], dramFree);
    return ready[other] < start || (ready[other] === start && other < transfer);
  };

  for (let id = 0; id < count; id++) if (pending[id] === 0) enqueue(id);
  for (let done = 0; done < count; done++) {
    const id = take();
    if (id === undefined) throw new Error("bug: every engine waits for another");
    const held = dramCycles[id] > 0 && dramFree > ready[id];
    if (held) [reasons[id], causes[id]] = [3, dramLast];
    const start = held ? dramFree : ready[id];
    if (dramCycles[id] > 0) [dramFree, dramLast] = [start + dramCycles[id], id];
    // The engine may take its next command while the last bytes are still on their way.
    released[id] = start + cycles[id];
    ends[id] = released[id] + latency[id];
    longest = Math.max(longest, ends[id]);
    const cause = causes[id] < 0 ? {} : { waitedFor: causes[id] };
    times[id] = { start, released: released[id], end: ends[id], reason: REASONS[reasons[id]], ...cause };
    order[done] = id;
    for (let at = from[id]; at < from[id + 1]; at++) if (--pending[followers[at]] === 0) enqueue(followers[at]);
  }
  return { times, order, cycles: longest };
}
