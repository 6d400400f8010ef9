/**
 * When commands will run, as far as their order in the program tells: an estimate that the emitter goes by. The DRAM
 * serves a transfer as soon as it is ready and no other one is being served.
 */
import type { Work } from "../emulate/simulate.ts";

/** Idle times of the DRAM that are remembered; older ones are as good as over. */
const GAPS = 24;

export class Clock {
  private readonly free: Float64Array;
  private readonly ends: number[] = [];
  private dramFree = 0;
  /** Idle times before `dramFree`. */
  private readonly gaps: { from: number; to: number }[] = [];

  constructor(lanes: number) {
    this.free = new Float64Array(lanes);
  }

  /** When commands have ended, all of them. */
  endOf(commands: readonly number[]): number {
    return commands.reduce((latest, id) => Math.max(latest, this.ends[id]), 0);
  }

  /** When a lane has done what it was given. */
  freeAt(lane: number): number {
    return this.free[lane];
  }

  /** The next command of the program. */
  add(lane: number, waits: readonly number[], { cycles, dramCycles, latency }: Work): void {
    const ready = Math.max(this.free[lane], this.endOf(waits));
    const start = dramCycles > 0 ? this.serve(ready, dramCycles) : ready;
    this.free[lane] = start + cycles;
    this.ends.push(start + cycles + latency);
  }

  private serve(ready: number, cycles: number): number {
    for (const [at, gap] of this.gaps.entries()) {
      const start = Math.max(ready, gap.from);
      if (start + cycles > gap.to) continue;
      this.gaps.splice(at, 1, { from: gap.from, to: start }, { from: start + cycles, to: gap.to });
      return start;
    }
    const start = Math.max(ready, this.dramFree);
    if (start > this.dramFree) this.gaps.push({ from: this.dramFree, to: start });
    if (this.gaps.length > GAPS) this.gaps.splice(0, this.gaps.length - GAPS);
    this.dramFree = start + cycles;
    return start;
  }
}
