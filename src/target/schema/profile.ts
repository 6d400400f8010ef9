/** What surrounds the program: who else uses the chip, and how its SoCs share the work. */
import { z } from "zod";
import { bytes, count, figure, nonNegative, positive, share } from "./figure.ts";

export const profileSchema = z.strictObject({
  summary: z.string(),
  /** What the other clients leave of the sustained DRAM bandwidth. */
  dramShare: share(),
  /** Whether the SoCs run the same program and compare, or work on their own. */
  socs: figure(z.enum(["redundant", "independent"])),
  /** From the frame's data to its outputs, under all that is stated here. */
  deadlineMs: positive().optional(),
  /** How far apart the outputs of redundant SoCs may come. */
  skewMs: positive().optional(),
  /**
   * A regulator at the DRAM: in any stretch of time t it serves the other clients of the SoC at most
   * burstBytes + GBps · t, in pieces of grainBytes, and before us. Absent: nobody else uses the DRAM.
   */
  otherClients: z.strictObject({ GBps: positive(), burstBytes: bytes(), grainBytes: count() }).optional(),
  /** Other programs have the NPUs for this share at the beginning of every period. Absent: they are ours. */
  slots: z.strictObject({ periodMs: positive(), share: figure(z.number().positive().max(0.95)) }).optional(),
  /** What the board may draw for as long as it runs: sets the sustained clock. Absent: the board's own limit. */
  powerCapWatts: nonNegative().optional(),
});
