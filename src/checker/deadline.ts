/** Whether a program is in time, by cycles that the caller computed: the checker has no model of time of its own but its bound. */
import type { Target } from "../target/schema.ts";

export interface DeadlineVerdict {
  readonly profile: string;
  /** The profile's; absent where it has none: then whatever it takes is in time. */
  readonly limitMs?: number;
  /** At worst; absent where the profile's other clients may take all of the DRAM. */
  readonly needMs?: number;
  /** What no schedule can beat. */
  readonly leastMs: number;
  readonly met: boolean;
  /** In one sentence. */
  readonly says: string;
}

export interface NeededCycles {
  /** Never exceeded under the profile; absent: nothing bounds them. */
  readonly worstCase?: number;
  /** What no schedule can beat. */
  readonly floor: number;
}

function ms(value: number): string {
  return `${value.toPrecision(4)} ms`;
}

/** The worst case against the profile's deadline. */
export function judgeDeadline(target: Target, profile: string, { worstCase, floor }: NeededCycles): DeadlineVerdict {
  const toMs = (cycles: number) => cycles / (target.clockGHz * 1e6);
  const limit = target.profiles[profile]?.deadlineMs;
  const leastMs = toMs(floor);
  const base = { profile, leastMs, ...(worstCase === undefined ? {} : { needMs: toMs(worstCase) }) };
  if (limit === undefined) return { ...base, met: true, says: `the profile ${profile} has no deadline` };
  const needs =
    worstCase === undefined ? "nothing bounds the time that it takes" : `it takes ${ms(toMs(worstCase))} at worst`;
  const met = worstCase !== undefined && toMs(worstCase) <= limit;
  return { ...base, limitMs: limit, met, says: `${needs}, the deadline of ${profile} is ${ms(limit)}` };
}

/** Undefined where some schedule might be in time; otherwise why none can be. */
export function impossibleDeadline(target: Target, profile: string, floorCycles: number): string | undefined {
  const limit = target.profiles[profile]?.deadlineMs;
  const leastMs = floorCycles / (target.clockGHz * 1e6);
  if (limit === undefined || leastMs <= limit) return undefined;
  return `no schedule takes less than ${ms(leastMs)}, the deadline of ${profile} is ${ms(limit)}`;
}
