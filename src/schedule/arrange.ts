/** Which order of the tiles a program gets. */

import { withDrains } from "../emulate/drain.ts";
import { flowOf, simulate } from "../emulate/simulate.ts";
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import { type EmitInput, type Emitted, emit, OutOfSram } from "./emit.ts";
import { bestSequence, plainSteps, type Sequence } from "./order.ts";
import type { Residency } from "./residency.ts";
import { settleResidents, spreadResidents } from "./settle.ts";
import type { AnyPlanned } from "./stream.ts";
import { tasksOf } from "./tasks.ts";

/** Where SRAM keeps operands only, results leave through a buffer of their own: the machine gets one as large again. */
export function stagingBytes({ bytes, keeps }: Target["sram"]): number {
  return keeps === "operands" ? 2 * bytes : bytes;
}

/** With this much, whatever streams could lie side by side: more SRAM would only spread it. */
function usefulBytes(jobs: readonly AnyPlanned[], { tops }: Residency, { sram }: Target): number {
  let bytes = tops.reduce((most, top) => top.reduce((high, end) => Math.max(high, end), most), 0);
  for (const planned of jobs) {
    if ("items" in planned) for (const item of planned.items) bytes += alignUp(item.bytes, sram.alignmentBytes);
  }
  return Math.min(bytes, stagingBytes(sram));
}

/** A program that takes this much longer than the order promised was kept waiting for memory: another may do better. */
const PATIENCE = 1.01;

/** Of the SRAM that resident tensors may take at once; the rest is for what streams, and for gaps. */
const SHARES = [0.9, 0.7, 0.5];

export type Arranged = Emitted & {
  readonly sramLowerBoundBytes: number;
  /** Whose order it is; undefined: job after job. */
  readonly sequence?: Sequence;
};

/** What a program is emitted from, whatever its order. */
export interface Given extends Omit<EmitInput, "steps" | "residency" | "sramBytes" | "alignment"> {
  /** Whether tensors keep their bytes to themselves where there is the room. */
  readonly apart: boolean;
}

function emitted(given: Given, settled: Residency, steps: EmitInput["steps"], target: Target): Arranged {
  const sramBytes = usefulBytes(given.jobs, settled, target);
  const { lowerBoundBytes: sramLowerBoundBytes } = settled.allocation;
  const alignment = target.sram.alignmentBytes;
  return { ...emit({ ...given, steps, residency: settled, sramBytes, alignment }), sramLowerBoundBytes };
}

/** Cycles of emitted commands as the emulator times them. */
export function cyclesOf({ commands }: Emitted, { workOf }: Given, target: Target): number {
  const drained = withDrains(commands, commands.map(workOf), target);
  return simulate(flowOf(drained.commands, drained.works)).cycles;
}

/**
 * The commands of the planned jobs in the best order known, or where memory or other NPUs keep that from being the best, job
 * after job. `residency`: in moments that are jobs; `brief`: only the first share of SRAM is tried, for jobs in strips, which
 * are many and in an order that was chosen to fit; `tasks`: those of the jobs. Throws OutOfSram.
 */
export function arrange(
  given: Given,
  residency: Residency,
  target: Target,
  brief: boolean,
  tasks = tasksOf(given.jobs, residency, target),
): Arranged {
  let found: Arranged | undefined;
  let cycles = Number.POSITIVE_INFINITY;
  for (const share of brief ? SHARES.slice(0, 1) : SHARES) {
    const sequence = bestSequence(tasks, Math.floor(target.sram.bytes * share));
    found = arrangeAs(given, residency, sequence, target);
    if (!found) continue;
    cycles = cyclesOf(found, given, target);
    if (cycles <= sequence.cycles * PATIENCE) return found;
    break;
  }
  const steps = plainSteps(tasks);
  const plain = () => emitted(given, spreadResidents(residency, steps), steps, target);
  const other = found ? unlessOutOfSram(plain) : plain();
  return found && (!other || cycles <= cyclesOf(other, given, target)) ? found : (other ?? plain());
}

/** The commands in an order; undefined where memory does not suffice. */
export function arrangeAs(
  given: Given,
  residency: Residency,
  sequence: Sequence,
  target: Target,
): Arranged | undefined {
  const settled = settleResidents(given.jobs, residency, sequence, target, given.apart);
  return settled && unlessOutOfSram(() => ({ ...emitted(given, settled, sequence.steps, target), sequence }));
}

function unlessOutOfSram<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof OutOfSram) return undefined;
    throw error;
  }
}
