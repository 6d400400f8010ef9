/** List scheduling: when each task begins if no unit rests while a task for it is ready. */
import { Queue } from "./queue.ts";
import type { Tasks } from "./tasks.ts";

export interface Times {
  readonly start: Float64Array;
  readonly end: number;
}

/** What all schedules of some tasks begin with. */
interface RoomTable {
  readonly npu: Int32Array;
  readonly bytes: Float64Array;
  /** How many tasks touch each. */
  readonly users: Int32Array;
  readonly npus: number;
}

const tables = new WeakMap<Tasks, RoomTable>();

function tableOf(tasks: Tasks): RoomTable {
  const found = tables.get(tasks);
  if (found) return found;
  const { rooms, touches } = tasks;
  const users = new Int32Array(rooms.length);
  for (const touched of touches) for (const room of touched) users[room]++;
  const table: RoomTable = {
    npu: Int32Array.from(rooms, ({ npu }) => npu),
    bytes: Float64Array.from(rooms, ({ bytes }) => bytes),
    users,
    npus: rooms.reduce((most, { npu }) => Math.max(most, npu + 1), 0),
  };
  tables.set(tasks, table);
  return table;
}

/** SRAM while tasks run: tensors open with the first task that touches them and close with the last. */
class Rooms {
  private readonly touches: Tasks["touches"];
  private readonly npu: Int32Array;
  private readonly bytes: Float64Array;
  private readonly capacity: number;
  private readonly left: Int32Array;
  private readonly open: Uint8Array;
  private readonly live: Float64Array;

  constructor(tasks: Tasks, capacity: number) {
    const { npu, bytes, users, npus } = tableOf(tasks);
    this.touches = tasks.touches;
    this.npu = npu;
    this.bytes = bytes;
    this.capacity = capacity;
    this.left = users.slice();
    this.open = new Uint8Array(npu.length);
    this.live = new Float64Array(npus);
  }

  fits(task: number): boolean {
    for (const room of this.touches[task]) {
      if (this.open[room] === 0 && this.live[this.npu[room]] + this.bytes[room] > this.capacity) return false;
    }
    return true;
  }

  enter(task: number): void {
    for (const room of this.touches[task]) {
      if (this.open[room] === 0) this.live[this.npu[room]] += this.bytes[room];
      this.open[room] = 1;
    }
  }

  /** Whether something closed. */
  leave(task: number): boolean {
    let closed = false;
    for (const room of this.touches[task]) {
      if (--this.left[room] > 0) continue;
      this.live[this.npu[room]] -= this.bytes[room];
      closed = true;
    }
    return closed;
  }
}

/**
 * A free unit takes the ready task with the least priority number; all of that is known in advance. `capacity`: bytes of
 * SRAM that tensors may take; where nothing else is left to do, it is exceeded.
 */
export function forwards(tasks: Tasks, priority: ArrayLike<number>, capacity: number): Times {
  const { count, unit, cycles, latency, before, after, follows } = tasks;
  const start = new Float64Array(count);
  const ready = new Float64Array(count);
  const ends = new Float64Array(count);
  const missing = Int32Array.from(before, (list) => list.length);
  const units = unit.reduce((most, one) => Math.max(most, one + 1), 0);
  const free = new Float64Array(units);
  const waiting = Array.from({ length: units }, () => new Queue(priority));
  const coming = new Queue(ready);
  const running = new Queue(ends);
  const rooms = new Rooms(tasks, capacity);
  // Tasks that found no room, by program order.
  let held: number[] = [];
  for (let task = 0; task < count; task++) if (missing[task] === 0) coming.push(task);
  let end = 0;
  let done = 0;
  const begin = (task: number, now: number) => {
    const released = now + cycles[task];
    start[task] = now;
    ends[task] = released;
    free[unit[task]] = released;
    end = Math.max(end, released + latency[task]);
    rooms.enter(task);
    running.push(task);
    done++;
    for (const other of after[task]) {
      ready[other] = Math.max(ready[other], follows?.[other] === task ? released : released + latency[task]);
      if (--missing[other] === 0) coming.push(other);
    }
  };
  for (let now = 0; done < count; ) {
    while (coming.next <= now) {
      const task = coming.pop();
      waiting[unit[task]].push(task);
    }
    let closed = false;
    while (running.next <= now) closed = rooms.leave(running.pop()) || closed;
    if (closed && held.length > 0) {
      for (const task of held) waiting[unit[task]].push(task);
      held = [];
    }
    for (let one = 0; one < units; one++) {
      while (waiting[one].length > 0 && free[one] <= now) {
        const task = waiting[one].pop();
        if (rooms.fits(task)) begin(task, now);
        else held.push(task);
      }
    }
    let next = Math.min(coming.next, running.next);
    if (next === Number.POSITIVE_INFINITY && held.length > 0) {
      const first = held.reduce((least, task) => Math.min(least, task));
      held = held.filter((task) => task !== first);
      begin(first, Math.max(now, free[unit[first]]));
      next = now;
    }
    now = next;
  }
  return { start, end };
}

/** The same from the end of the program: every task as late as that allows. Memory is no matter here. */
export function backwards(tasks: Tasks, priority: ArrayLike<number>): Times {
  const { count, unit, cycles, latency, before, after, follows } = tasks;
  const start = new Float64Array(count);
  const ready = latency.slice();
  const missing = Int32Array.from(after, (list) => list.length);
  const units = unit.reduce((most, one) => Math.max(most, one + 1), 0);
  const free = new Float64Array(units);
  const waiting = Array.from({ length: units }, () => new Queue(priority));
  const coming = new Queue(ready);
  for (let task = 0; task < count; task++) if (missing[task] === 0) coming.push(task);
  let end = 0;
  let now = 0;
  for (let done = 0; done < count; ) {
    while (coming.next <= now) {
      const task = coming.pop();
      waiting[unit[task]].push(task);
    }
    let next = Number.POSITIVE_INFINITY;
    for (let one = 0; one < units; one++) {
      while (waiting[one].length > 0 && free[one] <= now) {
        const task = waiting[one].pop();
        start[task] = now;
        free[one] = now + cycles[task];
        end = Math.max(end, free[one]);
        done++;
        for (const other of before[task]) {
          const waits = follows?.[task] === other ? 0 : latency[other];
          ready[other] = Math.max(ready[other], free[one] + waits);
          if (--missing[other] === 0) coming.push(other);
        }
      }
      if (waiting[one].length > 0) next = Math.min(next, free[one]);
    }
    now = Math.min(next, coming.next);
  }
  for (let task = 0; task < count; task++) start[task] = end - start[task] - cycles[task];
  return { start, end };
}
