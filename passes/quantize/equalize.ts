import { z } from "zod";
import type { Pass } from "../../src/pass.ts";
import { calibrate } from "../../src/quant/calibrate.ts";
import { channelRequests, equalize } from "../../src/quant/equalize.ts";
import { FORMATS, WEIGHT_FORMATS } from "../../src/quant/format.ts";
import { layerFormats } from "../../src/quant/formats.ts";
import { findLinks } from "../../src/quant/links.ts";

const options = z
  .object({
    enabled: z.boolean().default(true),
    samples: z.number().int().positive().default(64),
    weights: z.enum(WEIGHT_FORMATS).default("int8"),
    formats: z.record(z.string(), z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[])).default({}),
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
        samples: context.options.samples,
        jobs: context.jobs ?? 1,
        signal: context.signal,
      },
    );
    const { weights, formats } = context.options;
    const layers = layerFormats(graph, formats);
    return equalize(graph, links, channels, (node) => (layers.get(node)?.weights ?? weights) === "int4");
  },
};

export default pass;
