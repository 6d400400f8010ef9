import { z } from "zod";
import type { Pass } from "../../src/pass.ts";
import { ACTIVATION_FORMATS, FORMATS, WEIGHT_FORMATS } from "../../src/quant/format.ts";
import { layerFormats } from "../../src/quant/formats.ts";
import { openAlgebra } from "../../src/quant/rounding/algebra.ts";
import { linkVectors, smooth, smoothingFactors, smoothLinks, weightsOf } from "../../src/quant/smooth.ts";

const options = z
  .object({
    enabled: z.boolean().default(true),
    weights: z.enum(WEIGHT_FORMATS).default("int8"),
    activations: z.enum(ACTIVATION_FORMATS).default("int8"),
    formats: z.record(z.string(), z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[])).default({}),
    samples: z.number().int().positive().default(32),
    vectors: z.number().int().positive().default(16),
  })
  .strict();

/** Each link is judged by the error of its own products; where no α makes that clearly smaller, nothing changes. */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Moves outliers of a product's input channels into its weights, where that makes the product truer.",
  options,
  async run(graph, context) {
    const { enabled, weights, activations, formats, samples, vectors } = context.options;
    const links = enabled && activations !== "int16" ? smoothLinks(graph) : [];
    if (links.length === 0 || !context.calibration || context.calibration.size === 0) return graph;
    const layers = layerFormats(graph, formats);
    const algebra = openAlgebra();
    try {
      const seen = await linkVectors(graph, links, context.calibration, samples, vectors);
      const factors: (Float64Array | undefined)[] = [];
      for (const [index, link] of links.entries()) {
        context.signal?.throwIfAborted();
        const own = layers.get(link.readers[0].nodes[0]);
        const wide = own?.activations === "int16";
        factors.push(
          wide
            ? undefined
            : await smoothingFactors(
                weightsOf(graph, link),
                seen[index],
                link.channels,
                own?.weights ?? weights,
                algebra,
              ),
        );
      }
      return smooth(graph, links, factors);
    } finally {
      await algebra.release();
    }
  },
};

export default pass;
