/** What keeps the DRAM and the NPUs from us under a profile, in cycles of the NPU's clock. */
import type { Target } from "../../target/schema.ts";

export interface Interference {
  /** The DRAM serves nobody for `duration` in every `interval`. 0: never. */
  readonly refresh: { readonly interval: number; readonly duration: number };
  /**
   * The regulator in DRAM time: in any stretch of t cycles the others hold the DRAM for at most burst + share · t, in
   * pieces of `grain`. What their coming and going costs us (two turnarounds, our row opened again) is part of a grain.
   */
  readonly others: { readonly share: number; readonly burst: number; readonly grain: number };
  /** The NPUs are another program's for `length` in every `period`. 0: never. */
  readonly slots: { readonly period: number; readonly length: number };
  readonly turnaround: number;
  readonly rowMiss: number;
  /** Infinity where rows are not described. */
  readonly rowBytes: number;
}

/** Share of the time in which the DRAM is not refreshing. */
export function awakeShare({ refresh }: Interference): number {
  return 1 - refresh.duration / refresh.interval;
}

export function interferenceOf(target: Target, profileName: string): Interference {
  const { timing, GBps, sustained } = target.dram;
  const cycles = (ns: number) => ns * target.clockGHz;
  const refresh = {
    interval: cycles(timing?.refreshIntervalNs ?? 1),
    duration: cycles(timing?.refreshNs ?? 0),
  };
  const own = {
    refresh,
    turnaround: cycles(timing?.turnaroundNs ?? 0),
    rowMiss: cycles(timing?.rowMissNs ?? 0),
    rowBytes: timing?.rowBytes ?? Number.POSITIVE_INFINITY,
  };
  const { otherClients, slots } = target.profiles[profileName] ?? {};
  // Streams get the sustained share of the pins, refresh included; between two refreshes they are faster.
  const bytesPerCycle = (GBps * sustained) / target.clockGHz / (1 - refresh.duration / refresh.interval);
  let others = { share: 0, burst: 0, grain: 0 };
  if (otherClients !== undefined) {
    const { grainBytes, burstBytes } = otherClients;
    const grain = grainBytes / bytesPerCycle + 2 * own.turnaround + own.rowMiss;
    const perByte = grain / grainBytes;
    others = { share: (otherClients.GBps / target.clockGHz) * perByte, burst: burstBytes * perByte, grain };
  }
  const period = cycles((slots?.periodMs ?? 1) * 1e6);
  return { ...own, others, slots: { period, length: period * (slots?.share ?? 0) } };
}
