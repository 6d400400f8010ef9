/** SRAM, DMA and DRAM. */
import { z } from "zod";
import { bytes, count, figure, nonNegative, positive, share } from "./figure.ts";

export const sramSchema = z.strictObject({
  /** One NPU's. */
  bytes: bytes(),
  alignmentBytes: count(),
  banks: count(),
  /** Over all ports, for array and vector unit. */
  readBytesPerCycle: count(),
  writeBytesPerCycle: count(),
  /** `tensors`: results may stay for the next layer. `operands`: filled by DMA only, so every result goes to DRAM, by a buffer of its own. */
  keeps: figure(z.enum(["tensors", "operands"])),
});

export const dmaSchema = z.strictObject({
  /** Independent engines a direction, in one NPU. */
  engines: count(),
  /** What one of them moves in a cycle at most. */
  bytesPerCycle: positive(),
  burstBytes: count(),
  latencyCycles: nonNegative(),
  alignmentBytes: count(),
});

export const dramSchema = z.strictObject({
  bytes: bytes(),
  /** Of the pins, and the share that long streams get of it. */
  GBps: positive(),
  sustained: share(),
  /**
   * What the share that is not sustained consists of; absent: nothing but the share is known. They agree with it where
   * sustained = (1 − refreshNs / refreshIntervalNs) · rowTime / (rowTime + rowMissNs), with rowTime = rowBytes / GBps.
   */
  timing: z
    .strictObject({
      refreshIntervalNs: positive(),
      /** Nothing is served meanwhile; opening the rows again is part of it. */
      refreshNs: nonNegative(),
      /** From reading to writing or back. */
      turnaroundNs: nonNegative(),
      /** Of all channels together, and what opening another one costs beyond what other banks hide. */
      rowBytes: count(),
      rowMissNs: nonNegative(),
    })
    .optional(),
});
