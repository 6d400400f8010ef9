/** What surrounds the program: who else uses the chip, and how its SoCs share the work. */
import { z } from "zod";
import { figure, positive, share } from "./figure.ts";

export const profileSchema = z.strictObject({
  summary: z.string(),
  /** What the other clients leave of the sustained DRAM bandwidth. */
  dramShare: share(),
  /** Whether the SoCs run the same program and compare, or work on their own. */
  socs: figure(z.enum(["redundant", "independent"])),
  deadlineMs: positive().optional(),
});
