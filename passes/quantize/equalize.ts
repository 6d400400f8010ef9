import { z } from "zod";
import type { Pass } from "../../src/pass.ts";
import { calibrate, stepsOf } from "../../src/quant/calibrate.ts";
import { channelRequests, equalize, findLinks } from "../../src/quant/equalize.ts";

const options = z
  .object({
    enabled: z.boolean().default(true),
    samples: z.number().int().positive().default(64),
  })
  .strict();

/** One scale has to do for all channels of a stored value: the closer their ranges, the less the small ones lose. */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Divides the channels between two convolutions by their ranges and multiplies the weights that read them.",
  options,
  async run(graph, context) {
    const links = context.options.enabled ? findLinks(graph) : [];
    if (links.length === 0 || !context.calibration || context.calibration.size === 0) return graph;
    const { channels } = await calibrate(
      graph,
      { values: [], extremes: [], channels: channelRequests(links) },
      context.calibration,
      {
        samples: context.options.samples * stepsOf(context.calibration),
        jobs: context.jobs ?? 1,
        signal: context.signal,
      },
    );
    return equalize(graph, links, channels);
  },
};

export default pass;
