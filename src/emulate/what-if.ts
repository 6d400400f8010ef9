/** The same program on a better chip: how much sooner it would end, whole or a layer of it. */
import type { Engine, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import type { Limit } from "./limits.ts";
import type { LayerProfile } from "./profile.ts";
import { type Flow, simulate, type Work } from "./simulate.ts";
import { type Timeline, type TimingOptions, timelineOf } from "./timing.ts";

export interface WhatIf {
  readonly what: string;
  readonly cycles: number;
  /** Of the run, where nothing else changes: the same tiles in the same order. */
  readonly gain: number;
}

interface Change {
  readonly what: string;
  readonly helps: Limit;
  /** Whose commands it makes faster. */
  readonly engines: readonly Engine[];
  readonly apply: (target: Target) => Target;
}

/** One thing better at a time. */
const CHANGES: readonly Change[] = [
  {
    what: "twice the DRAM bandwidth",
    helps: "DRAM",
    engines: ["dma-in", "dma-out"],
    apply: (target) => ({
      ...target,
      dram: { ...target.dram, GBps: 2 * target.dram.GBps },
      dma: { ...target.dma, bytesPerCycle: 2 * target.dma.bytesPerCycle },
    }),
  },
  {
    what: "no DRAM latency",
    helps: "latency",
    engines: ["dma-in", "dma-out"],
    apply: (target) => ({ ...target, dma: { ...target.dma, latencyCycles: 0 } }),
  },
  {
    what: "twice the vector and pooling lanes",
    helps: "vector",
    engines: ["vector"],
    apply: (target) => ({
      ...target,
      vector: { ...target.vector, lanes: 2 * target.vector.lanes },
      pool: { ...target.pool, lanes: 2 * target.pool.lanes },
    }),
  },
  {
    what: "an array at twice the rate",
    helps: "array",
    engines: ["array"],
    apply: ({ array, ...target }) => ({
      ...target,
      array: {
        ...array,
        stepCycles: array.stepCycles / 2,
        activationPortBytes: 2 * array.activationPortBytes,
        weightPortBytes: 2 * array.weightPortBytes,
      },
    }),
  },
  {
    what: "twice the array's ports",
    helps: "array ports",
    engines: ["array"],
    apply: ({ array, ...target }) => ({
      ...target,
      array: {
        ...array,
        activationPortBytes: 2 * array.activationPortBytes,
        weightPortBytes: 2 * array.weightPortBytes,
      },
    }),
  },
  {
    what: "twice as fast a drain",
    helps: "drain",
    engines: ["array"],
    apply: ({ array, vector, ...target }) => ({
      ...target,
      array: { ...array, drainColumnsPerCycle: 2 * array.drainColumnsPerCycle },
      vector: { ...vector, lanes: 2 * vector.lanes },
    }),
  },
  {
    what: "twice the SRAM's ports",
    helps: "SRAM ports",
    engines: ["array", "vector"],
    apply: (target) => ({
      ...target,
      sram: {
        ...target.sram,
        readBytesPerCycle: 2 * target.sram.readBytesPerCycle,
        writeBytesPerCycle: 2 * target.sram.writeBytesPerCycle,
      },
    }),
  },
  {
    what: "a host twice as fast",
    helps: "host",
    engines: ["cpu"],
    apply: (target) => ({
      ...target,
      cpu: { callCycles: target.cpu.callCycles / 2, cyclesPerElement: target.cpu.cyclesPerElement / 2 },
    }),
  },
];

export interface WhatIfs {
  /** The whole program on each better chip, what helps most first; those that do not help are left out. */
  readonly program: readonly WhatIf[];
  /** For a layer alone, the change that helps what bounds it; undefined where it gains nothing. */
  forLayer(layer: LayerProfile): WhatIf | undefined;
}

/** Re-times; nothing is scheduled again. */
export function whatIfsOf(program: Program, timeline: Timeline, target: Target, options: TimingOptions = {}): WhatIfs {
  const before = timeline.simulation.cycles;
  const changed = CHANGES.map((change) => ({
    ...change,
    costs: timelineOf(program, change.apply(target), options).costs,
  }));
  const toGain = (what: string, cycles: number): WhatIf => ({ what, cycles, gain: (before - cycles) / before });
  /** The run with the costs of a change for some commands. */
  const retimed = ({ costs, engines }: (typeof changed)[number], ids: Iterable<number>): number => {
    const mixed = [...timeline.costs];
    for (const id of ids) if (engines.includes(timeline.commands[id].engine)) mixed[id] = costs[id];
    return simulate(withCosts(timeline.flow, mixed)).cycles;
  };
  const whole = changed.map((change) => toGain(change.what, retimed(change, timeline.costs.keys())));
  return {
    program: whole.filter(({ gain }) => gain > 0).sort((a, b) => b.gain - a.gain),
    forLayer({ commands, boundBy }) {
      const change = changed.find(({ helps }) => helps === boundBy);
      if (change === undefined) return undefined;
      const cycles = retimed(change, commands);
      return cycles < before ? toGain(change.what, cycles) : undefined;
    },
  };
}

/** The same order with other costs. */
function withCosts(flow: Flow, costs: readonly Work[]): Flow {
  return {
    ...flow,
    cycles: Float64Array.from(costs, ({ cycles }) => cycles),
    dramCycles: Float64Array.from(costs, ({ dramCycles }) => dramCycles),
    latency: Float64Array.from(costs, ({ latency }) => latency),
  };
}
