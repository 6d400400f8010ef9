/** Whose time a run is: every cycle of it belongs to the layer whose command the rest of the program waits for. */
import type { Command, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { criticalPath } from "./critical-path.ts";
import { macsOf, peakMacs } from "./cycles.ts";
import { freedTargets, LIMITS, type Limit, limitsOf, noLimits } from "./limits.ts";
import type { Timeline } from "./timing.ts";

export interface LayerProfile {
  /** The teacher's nodes. */
  readonly name: string;
  /** Of the run; those of all layers add up to it. */
  readonly cycles: number;
  readonly share: number;
  readonly macs: number;
  /** Cycles of the arrays, hidden behind other layers' or not. */
  readonly arrayCycles: number;
  /** MACs over what the arrays could do in those. */
  readonly utilization: number;
  readonly vectorCycles: number;
  /** Over the DRAM bus. */
  readonly dramBytes: number;
  /** What most of `cycles` is for. */
  readonly boundBy: Limit;
  readonly limits: Readonly<Record<Limit, number>>;
  /** Its commands. */
  readonly commands: readonly number[];
}

/** The name under which a command's time is counted. */
function layerOf({ origin, kind }: Command): string {
  return origin.length === 0 ? `(${kind})` : origin.join(" + ");
}

/** The layers, those that take the most of the run first. */
export function profileOf(timeline: Timeline, target: Target): LayerProfile[] {
  const { commands, costs, simulation } = timeline;
  const layers = new Map<string, number[]>();
  for (const [id, command] of commands.entries()) {
    const name = layerOf(command);
    const own = layers.get(name);
    if (own === undefined) layers.set(name, [id]);
    else own.push(id);
  }
  const freed = freedTargets(target);
  const limits = new Map([...layers.keys()].map((name) => [name, noLimits()]));
  for (const { id, from, to } of criticalPath(simulation)) {
    const found = limitsOf(commands[id], costs[id], simulation.times[id], from, to, target, freed);
    const sum = limits.get(layerOf(commands[id])) ?? noLimits();
    for (const limit of LIMITS) sum[limit] += found[limit];
  }
  const peak = peakMacs(target);
  const profiles = [...layers].map(([name, ids]): LayerProfile => {
    const own = limits.get(name) ?? noLimits();
    const cycles = LIMITS.reduce((sum, limit) => sum + own[limit], 0);
    const total = (of: (id: number) => number) => ids.reduce((sum, id) => sum + of(id), 0);
    const on = (engine: string) => (id: number) => (commands[id].engine === engine ? costs[id].cycles : 0);
    const arrayCycles = total(on("array"));
    const arrayMacs = total((id) => (commands[id].engine === "array" ? macsOf(commands[id]) : 0));
    return {
      name,
      cycles,
      share: simulation.cycles === 0 ? 0 : cycles / simulation.cycles,
      macs: total((id) => macsOf(commands[id])),
      arrayCycles,
      utilization: arrayCycles === 0 ? 0 : arrayMacs / (arrayCycles * peak),
      vectorCycles: total(on("vector")),
      dramBytes: total((id) => costs[id].busBytes),
      boundBy: LIMITS.reduce((most, limit) => (own[limit] > own[most] ? limit : most), LIMITS[0]),
      limits: own,
      commands: ids,
    };
  });
  return profiles.sort((a, b) => b.cycles - a.cycles || b.arrayCycles - a.arrayCycles || a.commands[0] - b.commands[0]);
}

/** What stands against running a program on a description other than its own: it would have to be scheduled again. */
export function reschedulingNeeds(program: Program, made: Target, target: Target): string[] {
  const needs: string[] = [];
  const peak = Math.max(0, ...program.plan.map(({ sramPeakBytes }) => sramPeakBytes));
  if (peak > target.sram.bytes) needs.push(`its plan takes ${peak} bytes of SRAM, there are ${target.sram.bytes}`);
  if (program.npus > target.npus) needs.push(`it runs on ${program.npus} NPUs, there are ${target.npus}`);
  if (program.dramBytes > target.dram.bytes) needs.push(`it takes ${program.dramBytes} bytes of DRAM`);
  if (made.round !== target.round) needs.push(`it rounds as ${made.round}, the chip as ${target.round}`);
  const same = JSON.stringify({ ...made.array, ...made.sram }) === JSON.stringify({ ...target.array, ...target.sram });
  if (needs.length === 0 && !same) needs.push("tiles, mappings and memory were chosen for another array or SRAM");
  return needs;
}
