import { z } from "zod";
import type { Pass } from "../../src/pass.ts";
import { freeCaches, withEvenChannels, withFlatRows } from "../../src/quant/caches.ts";
import { calibrate } from "../../src/quant/calibrate.ts";
import { eighthRoot } from "../../src/quant/roots.ts";

const options = z
  .object({
    /** Only codes of 4 bits are so few that channels of unequal size are lost. */
    cache: z.enum(["int8", "int4"]).default("int8"),
    samples: z.number().int().positive().default(64),
  })
  .strict();

/** A cache of 4 bits has one scale: its channels are brought to one size first, and what reads them takes it back. */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Brings the channels of caches of 4 bits to one size, which queries or results of the products take back.",
  options,
  async run(graph, context) {
    const { cache, samples } = context.options;
    const caches = cache === "int4" ? freeCaches(graph) : [];
    if (caches.length === 0 || !context.calibration || context.calibration.size === 0) return graph;
    const { graph: flat, names } = withFlatRows(graph, caches);
    const wanted = names.map((value) => ({ value, axis: 1, moment: 8 as const }));
    const { channels } = await calibrate(
      context.infer(flat),
      { values: [], extremes: [], channels: wanted },
      context.calibration,
      { samples, jobs: context.jobs ?? 1, signal: context.signal },
    );
    return withEvenChannels(
      graph,
      caches,
      channels.map((means) => Array.from(means, eighthRoot)),
    );
  },
};

export default pass;
