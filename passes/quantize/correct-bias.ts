import { z } from "zod";
import { quantize } from "../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import type { Feeds, Pass } from "../../src/pass.ts";
import { chosen } from "../../src/quant/calibrate.ts";
import { type FloatMean, sweepBias } from "../../src/quant/sweep.ts";
import { interpret } from "../../src/run/interpret.ts";

/** Key of the metadata in which `quantize/int8` leaves the float model's means, by the names of integer outputs. */
const FLOAT_MEANS = "quantize/float-means";

const options = z
  .object({
    enabled: z.boolean().default(true),
  })
  .strict();

interface Note {
  readonly samples: number;
  readonly means: readonly (readonly [string, FloatMean])[];
}

const pass: Pass<z.infer<typeof options>> = {
  summary:
    "Runs calibration samples through the integer graph and moves every bias to where the float model's mean is.",
  options,
  lossy: true,
  async run(graph, context) {
    const text = graph.metadata.get(FLOAT_MEANS);
    if (text === undefined) return graph;
    const bare = { ...graph, metadata: new Map([...graph.metadata].filter(([key]) => key !== FLOAT_MEANS)) };
    // States would have to be carried from sample to sample, and the sweep goes operator by operator.
    if (!context.options.enabled || !context.calibration || graph.states.length > 0) return bare;
    const { samples, means } = JSON.parse(text) as Note;
    const feeds: Feeds[] = [];
    for (const index of chosen(context.calibration, samples)) {
      feeds.push(codesOf(graph, await context.calibration.feeds(index)));
    }
    const execute =
      context.execute ?? ((single) => ({ run: (values) => interpret(single, values) as Map<string, Tensor> }));
    return sweepBias(bare, new Map(means), feeds, execute);
  },
};

export default pass;

/** A sample as the integer graph takes it. */
function codesOf(graph: Graph, sample: Feeds): Feeds {
  return new Map(
    graph.inputs.map((name) => {
      const tensor = sample.get(name);
      const type = graph.types.get(name);
      if (!tensor) throw new Error(`bug: a calibration sample has no "${name}"`);
      return [name, type?.quant ? quantize(tensor, type.dtype, type.quant) : tensor];
    }),
  );
}
