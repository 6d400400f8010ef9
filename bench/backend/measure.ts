/** One graph under one description: its schedule, the time that it takes, and the bounds that it is quoted against. */
import { boundOf } from "../../src/checker/bound.ts";
import { type Timing, timeProgram } from "../../src/emulate/timing.ts";
import { CompileError } from "../../src/error.ts";
import type { Graph } from "../../src/ir/graph.ts";
import type { Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { NETWORKS } from "./networks.ts";
import { type BenchOptions, targetOf } from "./options.ts";

export interface NetworkFigures {
  readonly network: string;
  readonly target: string;
  readonly profile: string;
  readonly cycles: number;
  /** Every layer as a whole at its best legal mapping. Equal to `floorCycles` where no layer may run on either unit. */
  readonly boundCycles: number;
  /** What no schedule can beat, even if it divides layers between the units. */
  readonly floorCycles: number;
  readonly rooflineCycles: number;
  readonly dramBytes: number;
  /** To schedule and time, in this process as it stands: nothing is warmed up on purpose. */
  readonly ms: number;
}

export interface Measured {
  readonly figures: NetworkFigures;
  readonly program: Program;
  readonly timing: Timing;
  readonly macs: number;
}

/** Throws usage/unknown-network. */
export function networkGraph(name: string, batch?: number): Graph {
  const make = NETWORKS.get(name);
  if (make) return make(batch);
  throw new CompileError("usage/unknown-network", `there is no network "${name.slice(0, 40)}"`, {
    remedy: `choose one of ${[...NETWORKS.keys()].join(", ")}`,
  });
}

/** `sharing`: whether several NPUs must share the work, or may leave it to one. */
export function measureGraph(
  network: string,
  graph: Graph,
  options: BenchOptions,
  sharing: "faster" | "always" = "faster",
): Measured {
  const { target, profile } = targetOf(options);
  const begin = performance.now();
  const { program } = schedule(graph, target, { npus: options.npus, sharing });
  const timing = timeProgram(program, target, { profile });
  const ms = Math.round((performance.now() - begin) * 10) / 10;
  const bound = boundOf(graph, target, { profile, npus: options.npus });
  const { cycles, dramBytes } = timing;
  const figures = {
    network,
    target: target.name,
    profile,
    cycles,
    boundCycles: bound.boundCycles,
    floorCycles: bound.floorCycles,
    rooflineCycles: bound.rooflineCycles,
    dramBytes,
    ms,
  };
  return { figures, program, timing, macs: bound.macs };
}

export const measureNetwork = (name: string, options: BenchOptions): Measured =>
  measureGraph(name, networkGraph(name), options);
