/** The units beside the array: element-wise and row-wise work, pooling, the host. */
import { z } from "zod";
import { count, figure, nonNegative, positive } from "./figure.ts";

/** Work of the vector unit, in passes of all lanes over the elements. */
export const VECTOR_STEPS = [
  "add",
  "mul",
  "max",
  "min",
  "scale",
  "table",
  "interpolate",
  "reduce",
  "root",
  "softmax",
  "norm",
  "move",
  "fill",
  "gather",
  "mac",
] as const;
export type VectorStep = (typeof VECTOR_STEPS)[number];

const steps = z.strictObject(
  Object.fromEntries(VECTOR_STEPS.map((step) => [step, positive()])) as Record<VectorStep, ReturnType<typeof positive>>,
);

export const vectorSchema = z.strictObject({
  /** Stored bytes that a pass takes in a cycle. */
  lanes: count(),
  /** Passes an element. */
  steps,
  /** Whether it packs codes of 4 bits two a byte at run time, and unpacks them, at a move's cost a code; absent: it does not. */
  packsNibbles: figure(z.boolean()).optional(),
});

/** The pooling unit takes `lanes` bytes a cycle: of all windows' cells, or of the input, whose partial results it keeps. */
export const poolSchema = z.strictObject({ lanes: count(), takes: figure(z.enum(["cells", "inputs"])) });

/** A node on the host: a call, and every element read and written. */
export const cpuSchema = z.strictObject({ callCycles: nonNegative(), cyclesPerElement: nonNegative() });
