import { timeProgram } from "../emulate/timing.ts";
import type { Graph } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { type ScheduleOptions, schedule } from "./schedule.ts";

export interface GraphCost {
  readonly cycles: number;
  readonly dramBytes: number;
}

/** What one run of the integer graph costs on a target: scheduled and timed, nothing executed. */
export function cost(graph: Graph, target: Target, options: ScheduleOptions & { profile?: string } = {}): GraphCost {
  const { program } = schedule(graph, target, options);
  const { cycles, dramBytes } = timeProgram(
    program,
    target,
    options.profile === undefined ? {} : { profile: options.profile },
  );
  return { cycles, dramBytes };
}
