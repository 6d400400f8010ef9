import { z } from "zod";
import { CompileError } from "../../src/error.ts";
import type { Pass } from "../../src/pass.ts";
import { stepsOf } from "../../src/quant/calibrate.ts";
import { eightBitChoices } from "../../src/quant/eight-bits.ts";
import { BLOCKS, FORMATS, WEIGHT_FORMATS } from "../../src/quant/format.ts";
import { layerFormats } from "../../src/quant/formats.ts";
import { type NetworkOptions, roundNetwork } from "../../src/quant/rounding/network.ts";
import { METHODS } from "../../src/quant/rounding/round.ts";

/** Of layers rounded one by one, to see what each costs; and of each such trial. */
const [TRIAL_SAMPLES, TRIALS] = [64, 32];

const options = z
  .object({
    method: z.enum(["auto", ...METHODS]).default("auto"),
    weights: z.enum(WEIGHT_FORMATS).default("int8"),
    block: z.union(BLOCKS.map((block) => z.literal(block))).default(64),
    formats: z.record(z.string(), z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[])).default({}),
    samples: z.number().int().positive().default(128),
    vectors: z.number().int().positive().default(256),
    stages: z.number().int().positive().default(16),
    prefix: z.enum(["rounded", "float"]).default("rounded"),
    damping: z.number().positive().max(1).default(0.01),
    actOrder: z.boolean().default(true),
    passes: z.number().int().positive().max(100).default(4),
    int8Share: z.number().min(0).max(1).default(0),
    steps: z.number().int().positive().max(100_000).default(500),
    biasCorrection: z.boolean().default(true),
  })
  .strict();

/**
 * What this pass rounds, `quantize/int8` keeps; the rest it rounds to nearest itself. So with `nearest` nothing is done here, and
 * with `auto` weights of 4 bits only, for which it pays.
 */
const pass: Pass<z.infer<typeof options>> = {
  summary: "Rounds the weights of each layer so that their errors cancel on the calibration data.",
  options,
  lossy: true,
  async run(graph, context) {
    const { method, weights, block, formats, int8Share, ...rest } = context.options;
    if (method === "nearest" && int8Share === 0) return graph;
    if (!context.calibration || context.calibration.size === 0) {
      throw new CompileError("usage/no-calibration", "rounding by measured inputs needs calibration data", {
        remedy: "add data.calibration to the recipe, or round to nearest",
      });
    }
    const steps = stepsOf(context.calibration);
    const named = layerFormats(graph, formats);
    const common: Omit<NetworkOptions, "formatOf"> = {
      ...rest,
      samples: rest.samples * steps,
      method: method === "auto" ? "gptq" : method,
      block: block === "all" ? Number.POSITIVE_INFINITY : block,
      emit: "codes",
      jobs: context.jobs ?? 1,
      ...(context.signal && { signal: context.signal }),
    };
    // What the recipe names has the format that it says.
    const kept = await eightBitChoices(graph, context.calibration, {
      ...common,
      formatOf: (node) => (named.has(node) ? undefined : weights),
      samples: Math.min(rest.samples, TRIAL_SAMPLES) * steps,
      trials: TRIALS * steps,
      share: int8Share,
    });
    if (kept.length > 0) context.notes("eightBits", kept);
    const eight = new Set(kept.map(({ weights }) => weights));
    return roundNetwork(graph, context.calibration, {
      ...common,
      formatOf(node) {
        if (eight.has(node.inputs[1])) return "int8";
        const format = named.get(node)?.weights ?? weights;
        return method === "nearest" || (method === "auto" && format === "int8") ? undefined : format;
      },
    });
  },
};

export default pass;
