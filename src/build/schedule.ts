import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import { encodeProgram } from "../schedule/encode.ts";
import type { Sections } from "../schedule/program.ts";
import { type Scheduled, type ScheduleOptions, schedule } from "../schedule/schedule.ts";
import type { Target } from "../target/schema.ts";

export interface ScheduledSections extends Scheduled {
  readonly sections: Sections;
}

/** The integer graph as the bytes that the chip runs. A function of the record, the target and the options alone. */
export function scheduleGraph(graph: Graph, target: Target, options: ScheduleOptions): ScheduledSections {
  const scheduled = scheduleWithin(graph, target, options);
  return { ...scheduled, sections: encodeProgram(scheduled.program) };
}

/** A limit below the chip's SRAM is kept if it can be; where it cannot, the gate that asked for it says so. */
function scheduleWithin(graph: Graph, target: Target, { sramBytes, ...options }: ScheduleOptions): Scheduled {
  if (sramBytes !== undefined && sramBytes < target.sram.bytes) {
    try {
      return schedule(graph, target, { ...options, sramBytes });
    } catch (error) {
      if (!(error instanceof CompileError) || !TOO_SMALL.has(error.code)) throw error;
    }
  }
  return schedule(graph, target, options);
}

const TOO_SMALL: ReadonlySet<string> = new Set(["model/layer-too-large", "model/does-not-fit"]);
