import { z } from "zod";
import type { Graph } from "../../src/ir/graph.ts";
import type { Pass } from "../../src/pass.ts";
import { calibrate, stepsOf } from "../../src/quant/calibrate.ts";
import { classRange } from "../../src/quant/class-ranges.ts";
import { emptyHistogram } from "../../src/quant/histogram.ts";
import { quantOf } from "../../src/quant/ranges.ts";
import { outputErrors } from "../../src/quant/sensitivity.ts";
import { dominating, split, splitLinks, splitRequests } from "../../src/quant/split.ts";

const options = z
  .object({
    enabled: z.boolean().default(false),
    percentile: z.number().gt(50).max(100).default(99.999),
    samples: z.number().int().positive().default(64),
    trials: z.number().int().positive().default(16),
  })
  .strict();

/** What a split must save of the error at the model's outputs to be worth a channel. */
const WORTH = 0.1;

/** One scale has to do for all channels of a stored value, and one of them may be far larger than all others. */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Splits channels that alone make a value's range wide into two of half the size, where that helps.",
  options,
  async run(graph, context) {
    const { enabled, percentile, samples, trials } = context.options;
    const { calibration, signal } = context;
    if (!enabled || !calibration || calibration.size === 0) return graph;
    const links = splitLinks(graph);
    const steps = stepsOf(calibration);
    const few = { samples: samples * steps, jobs: context.jobs ?? 1, ...(signal && { signal }) };
    const { channels } = await calibrate(
      graph,
      { values: [], extremes: [], channels: splitRequests(links) },
      calibration,
      few,
    );
    const choices = links.flatMap((link, index) => {
      const found = dominating(channels[index]);
      return found ? [{ link, channels: found }] : [];
    });
    if (choices.length === 0) return graph;
    const errorsIn = async (model: Graph, values: readonly string[]) => {
      const { histograms } = await calibrate(model, { values, extremes: [], channels: [] }, calibration, few);
      const stored = values.map((value) => {
        const range = classRange(histograms.get(value) ?? emptyHistogram(), "percentile", percentile, "int8");
        const { scale, zeroPoint } = quantOf(range, "int8");
        return [{ value, scale: scale[0], zero: zeroPoint[0] }];
      });
      return outputErrors(model, stored, calibration, { samples: trials * steps, ...(signal && { signal }) });
    };
    const before = await errorsIn(
      graph,
      choices.map(({ link }) => link.value),
    );
    const trial = split(graph, choices);
    const after = await errorsIn(trial.graph, trial.values);
    const won = choices.filter((_, index) => after[index] < (1 - WORTH) * before[index]);
    if (won.length === 0) return graph;
    const says = won.map(({ link, channels: chosen }) => {
      const index = choices.findIndex((choice) => choice.link === link);
      return { value: link.value, channels: chosen, before: before[index], after: after[index] };
    });
    context.notes("split", says);
    return split(graph, won).graph;
  },
};

export default pass;
