/** Which order of the tiles a program gets. */
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import { type EmitInput, type Emitted, emit, OutOfSram } from "./emit.ts";
import { bestSequence, plainSteps } from "./order.ts";
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

/**
 * The commands of the planned jobs in the best order known, or where that finds no room, job after job. `residency`: in
 * moments that are jobs. Throws OutOfSram.
 */
export function arrange(
  given: Omit<EmitInput, "steps" | "residency" | "sramBytes" | "alignment">,
  residency: Residency,
  target: Target,
): Emitted & { readonly sramLowerBoundBytes: number } {
  const { jobs } = given;
  const tasks = tasksOf(jobs, target);
  const sequence = bestSequence(tasks);
  const emitted = (settled: Residency, steps: EmitInput["steps"]) => {
    const sramBytes = usefulBytes(jobs, settled, target);
    const { lowerBoundBytes: sramLowerBoundBytes } = settled.allocation;
    const alignment = target.sram.alignmentBytes;
    return { ...emit({ ...given, steps, residency: settled, sramBytes, alignment }), sramLowerBoundBytes };
  };
  const settled = settleResidents(jobs, residency, sequence, target);
  try {
    if (settled) return emitted(settled, sequence.steps);
  } catch (error) {
    if (!(error instanceof OutOfSram)) throw error;
  }
  const steps = plainSteps(tasks);
  return emitted(spreadResidents(residency, steps), steps);
}
