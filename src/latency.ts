/** How long a float graph takes on a target once it is compiled: lowered with a stand-in calibration, scheduled, timed. */
import { cost } from "./build/cost.ts";
import type { Graph, Tensor } from "./ir/graph.ts";
import type { PassSpec } from "./pass.ts";
import { runPasses } from "./passes.ts";
import { presetPasses } from "./presets.ts";
import { atOne } from "./student/derive.ts";
import { loadTarget } from "./target/load.ts";

/** Passes that change numbers but no shapes: cycles are the same without them. */
const NUMBERS_ONLY = new Set([
  "quantize/equalize",
  "quantize/smooth",
  "quantize/round-weights",
  "quantize/correct-bias",
  "quantize/int8",
]);

/** Milliseconds a run of one sample, by the schedule of the graph in int8. Throws what loadTarget, passes and scheduler throw. */
export function latencyOf(target: string, sample: ReadonlyMap<string, Tensor>): (graph: Graph) => Promise<number> {
  const hardware = loadTarget(target);
  const passes = presetPasses("int8").flatMap((spec): PassSpec[] => {
    if (spec === "quantize/int8") return [{ pass: "quantize/int8", samples: 1, biasCorrection: false }];
    return typeof spec === "string" && NUMBERS_ONLY.has(spec) ? [] : [spec];
  });
  return async (graph) => {
    const calibration = { size: 1, feeds: () => sample };
    const { graph: lowered } = await runPasses(atOne(graph), passes, { target: hardware, calibration });
    return cost(lowered, hardware).cycles / (hardware.clockGHz * 1e6);
  };
}
