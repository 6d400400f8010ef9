/** What the cycles of a command are for, found by pricing it on a chip that has the limit no longer. */
import type { Command } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import type { Cost } from "./costs.ts";
import { engineCycles } from "./cycles.ts";
import type { CommandTime } from "./simulate.ts";

/** From the array's multiplications on to what keeps them waiting. */
export const LIMITS = ["array", "drain", "array ports", "SRAM ports", "vector", "DRAM", "latency", "host"] as const;
export type Limit = (typeof LIMITS)[number];

export type Limited = Readonly<Record<Limit, number>>;

/** So much of it that it limits nothing. */
const PLENTY = 1e9;

interface Freed {
  readonly limit: Limit;
  readonly target: Target;
}

/** The description without one limit of the array after another. */
export function freedTargets(target: Target): Freed[] {
  const { array, vector, sram } = target;
  return [
    {
      limit: "SRAM ports",
      target: { ...target, sram: { ...sram, readBytesPerCycle: PLENTY, writeBytesPerCycle: PLENTY } },
    },
    {
      limit: "drain",
      target: { ...target, array: { ...array, drainColumnsPerCycle: PLENTY }, vector: { ...vector, lanes: PLENTY } },
    },
    {
      limit: "array ports",
      target: { ...target, array: { ...array, activationPortBytes: PLENTY, weightPortBytes: PLENTY } },
    },
  ];
}

export function noLimits(): Record<Limit, number> {
  return { array: 0, drain: 0, "array ports": 0, "SRAM ports": 0, vector: 0, DRAM: 0, latency: 0, host: 0 };
}

/**
 * Divides `cycles`, the part of a run that a command is answerable for, among its limits. A transfer's are the DRAM's while it
 * is served, latency afterwards.
 */
export function limitsOf(
  command: Command,
  cost: Cost,
  { start, released }: CommandTime,
  from: number,
  to: number,
  target: Target,
  freed: readonly Freed[],
): Limited {
  const found = noLimits();
  const cycles = to - from;
  if (cost.busBytes > 0) {
    found.DRAM = Math.min(cycles, released - start);
    found.latency = cycles - found.DRAM;
    return found;
  }
  if (command.engine === "cpu") return { ...found, host: cycles };
  const own = engineCycles(command, target);
  const main = command.engine === "array" ? "array" : "vector";
  // What the array's last tile still drains once the array is free.
  found.drain = Math.min(cycles, Math.max(0, to - released));
  const worked = cycles - found.drain;
  found[main] = worked;
  for (const { limit, target: free } of freed) {
    if (main === "vector" && limit !== "SRAM ports") continue;
    const without = own === 0 ? 0 : engineCycles(command, free);
    const part = own === 0 ? 0 : Math.min(found[main], (worked * (own - without)) / own);
    found[limit] += part;
    found[main] -= part;
  }
  return found;
}
