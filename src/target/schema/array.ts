/** The MAC array: what it takes at once, what feeds it and what it leaves. */
import { z } from "zod";
import { count, figure, nonNegative, positive } from "./figure.ts";

/** Ways to put a depthwise convolution on the array, or off it (`vector`). */
export const DEPTHWISE = ["column", "toeplitz", "channels", "vector"] as const;

/**
 * `rows` output pixels × `columns` output channels × `inputs` channels of the reduction are multiplied in a step of
 * `stepCycles`, where the ports keep up. AI4: 96 × 96 × 1 in 1; NVDLA: 1 × atomic-K × atomic-C in 1; Ethos-U55-256:
 * 4 × 8 × 32 in 4.
 */
export const arraySchema = z
  .strictObject({
    /** Output pixels at once. */
    rows: count(),
    /** Output channels at once. */
    columns: count(),
    /** Channels of the reduction at once, summed in the array. */
    inputs: count(),
    stepCycles: count(),
    /** Layers with at most `channels` inputs may put `taps` neighbours of a kernel row on the lanes of the reduction. */
    packing: figure(z.strictObject({ taps: z.int().min(1), channels: z.int().min(1) })),
    /** What lies on the rows: x, y and batch in one sequence, or a rectangle of one image, whose edges stay idle. */
    pixels: figure(z.union([z.literal("fused"), z.strictObject({ width: z.int().min(1), height: z.int().min(1) })])),
    accumulatorBits: figure(z.int().min(16).max(48)),
    /** Bytes of activations and of weights that reach the array in a cycle. */
    activationPortBytes: count(),
    weightPortBytes: count(),
    /** Whether pixels that lie a stride apart are read alone; otherwise all that lies between them passes the port. */
    gathers: figure(z.boolean()),
    /** Steps on neighbouring pixels that one load of weights serves; 1 where each step brings its own. */
    weightHold: count(),
    /** Cycles of a tile in which the array fills and empties, not hidden by the next tile: a systolic array's skew. */
    skewCycles: nonNegative(),
    /** Used columns whose accumulators leave in a cycle. */
    drainColumnsPerCycle: positive(),
    /** Whether a second set of accumulators lets the next tile begin while the last one leaves. */
    drainHidden: figure(z.boolean()),
    /** Passes of a product with 16-bit operands. */
    int16Passes: count(),
    /** Products with 4-bit weights in the time of one with 8-bit weights. */
    int4Rate: positive(),
    /**
     * Whether layers may read activations of 4 bits; absent: they may not. Each is a byte, and products with them take the time that those of
     * the same weights with 8 bits take.
     */
    int4Activations: figure(z.boolean()).optional(),
    /** How 4-bit weights lie in memory: two in a byte, unpacked before the array, or not at all. */
    int4Storage: figure(z.enum(["packed", "none"])),
    /** What is legal for a layer of one input channel a group; `column`: one column at a time; `channels`: a channel a column. */
    depthwise: figure(z.array(z.enum(DEPTHWISE)).min(1)),
  })
  .refine(({ rows, pixels }) => pixels.value === "fused" || pixels.value.width * pixels.value.height === rows.value, {
    message: "the rectangle of pixels has as many as there are rows",
    path: ["pixels"],
  });
