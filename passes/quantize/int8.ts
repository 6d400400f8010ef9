import { z } from "zod";
import { CompileError } from "../../src/error.ts";
import type { Graph, Node } from "../../src/ir/graph.ts";
import type { Pass, Samples } from "../../src/pass.ts";
import { annotate, type Plan, packedCaches, valuesToObserve } from "../../src/quant/annotate.ts";
import { leastErrors, rangeChoices } from "../../src/quant/auto.ts";
import { correctBias, linearOutputs, meanRequests } from "../../src/quant/bias.ts";
import { PACKED_CACHES } from "../../src/quant/caches.ts";
import { calibrate, chosen } from "../../src/quant/calibrate.ts";
import { unscaledName } from "../../src/quant/equalize.ts";
import {
  ACTIVATION_FORMATS,
  BLOCKS,
  FORMATS,
  WEIGHT_FORMATS,
  WEIGHT_SCALES,
  type WeightPlan,
} from "../../src/quant/format.ts";
import { formatWishes, layerFormats } from "../../src/quant/formats.ts";
import { fusionGroups } from "../../src/quant/groups.ts";
import type { Histogram } from "../../src/quant/histogram.ts";
import type { Wanted } from "../../src/quant/probe.ts";
import { CALIBRATORS, type Range } from "../../src/quant/ranges.ts";
import type { FloatMean } from "../../src/quant/sweep.ts";
import { calibrationWarnings, classWarnings } from "../../src/quant/warnings.ts";
import { wideChoices } from "../../src/quant/widen.ts";
import { int16Wishes, withoutWishes } from "../../src/quant/wishes.ts";

const options = z
  .object({
    calibrator: z.enum(CALIBRATORS).default("percentile"),
    percentile: z.number().gt(50).max(100).default(99.999),
    weights: z.enum(WEIGHT_FORMATS).default("int8"),
    block: z.union(BLOCKS.map((block) => z.literal(block))).default(64),
    weightScales: z.enum(WEIGHT_SCALES).default("mse"),
    formats: z.record(z.string(), z.enum(Object.keys(FORMATS) as (keyof typeof FORMATS)[])).default({}),
    activations: z.enum(ACTIVATION_FORMATS).default("int8"),
    outputs: z.enum(["int8", "int16"]).default("int16"),
    int16: z.array(z.string()).default([]),
    cache: z.enum(["int8", "int4"]).default("int8"),
    int16Share: z.number().min(0).max(1).default(0),
    biasCorrection: z.boolean().default(true),
    samples: z.number().int().positive().default(256),
  })
  .strict();

type Options = z.infer<typeof options>;

/**
 * Post-training quantization: ranges from streaming histograms of the calibration split, symmetric int8 or int4 weights with
 * a scale an output channel, asymmetric int8 or int4 activations. The graph's numbers stay; its types say what they become.
 */
const pass: Pass<Options> = {
  summary:
    "Decides the scales of every stored value from the calibration data and quantizes the weights, to int8 or int4.",
  options,
  lossy: true,
  async run(graph, context) {
    const seen = valuesToObserve(graph);
    if (!context.calibration || context.calibration.size === 0) {
      throw new CompileError("usage/no-calibration", "quantization needs calibration data, and the recipe gives none", {
        remedy: "add data.calibration to the recipe",
      });
    }
    const { samples, biasCorrection } = context.options;
    const calibration = context.calibration;
    const look = (wanted: Wanted, limit: number) =>
      calibrate(graph, wanted, calibration, { samples: limit, jobs: context.jobs ?? 1, signal: context.signal });
    const limit = few(calibration, samples, MEAN_SAMPLES);
    // What lives in accumulators only has no say in what is stored: fewer samples tell enough, and are run for the means as well.
    const [early, late] = limit < samples ? [[], seen.extremes] : [seen.extremes, []];
    const found = await look({ ...NOTHING, values: seen.values, extremes: early }, samples);
    const { histograms } = found;
    const set = { indices: [...chosen(calibration, samples)], isStream: calibration.sequence !== undefined };
    const warnings = [...calibrationWarnings(found, set), ...classWarnings(calibration, set)];
    for (const warning of warnings) context.log.warn(warning);
    const given = planOf(graph, context.options);
    const wide = await wideChoices(graph, histograms, given, calibration, {
      share: context.options.int16Share,
      samples: Math.min(samples, TRIAL_SAMPLES),
      jobs: context.jobs ?? 1,
      signal: context.signal,
    });
    if (wide.length > 0) context.notes("wide", wide);
    const plan = { ...given, int16: new Set([...given.int16, ...wide.map(({ value }) => value)]) };
    const choices = context.options.calibrator === "auto" ? rangeChoices(graph, histograms, plan) : [];
    const errors = choices.flatMap(({ requests }) => requests);
    const measured =
      errors.length === 0
        ? []
        : (await look({ ...NOTHING, channels: errors }, few(calibration, samples, ERROR_SAMPLES))).channels;
    const rounded = annotate(graph, histograms, { ...plan, ranges: leastErrors(choices, measured) });
    const requests = biasCorrection ? meanRequests(rounded) : [];
    // A model that came in 16 levels was trained to have the codes that it has: no bias is to move them.
    const isTrained = [...graph.types.values()].some(({ dtype, quant }) => dtype === "int4" && quant);
    const linear = biasCorrection && !isTrained ? linearOutputs(graph) : [];
    const ridden = linear.filter(({ value, output }) => value !== output);
    const behind = ridden.map(({ output, axis }) => ({ value: output, axis, moment: 1 as const }));
    const wanted = { ...NOTHING, extremes: late, channels: [...requests, ...linear, ...behind] };
    const { histograms: inner, channels } = await look(wanted, limit);
    const all = new Map([...histograms, ...inner]);
    const notes = withCaches(withInnerRanges(withoutWishes(rounded), all), packedCaches(graph, plan));
    if (!biasCorrection) return notes;
    const corrected = correctBias(notes, graph, requests, channels);
    const [before, after] = [channels.slice(requests.length), channels.slice(requests.length + linear.length)];
    const means = linear.map((each, index): [string, FloatMean] => {
      const { minimum, maximum } = all.get(each.value) as Histogram;
      const riding = ridden.indexOf(each);
      const found = { means: [...before[index]], reach: Math.max(-minimum, maximum) };
      return [each.output, riding < 0 ? found : { ...found, after: [...after[riding]] }];
    });
    return {
      ...corrected,
      metadata: new Map(corrected.metadata).set(FLOAT_MEANS, JSON.stringify({ samples: limit, means })),
    };
  },
};

/** Means settle sooner than tails. */
const MEAN_SAMPLES = 64;
/** Of a trial of one value in 8 bits, at most. */
const TRIAL_SAMPLES = 32;
/** An error is a mean over thousands of numbers of a sample. */
const ERROR_SAMPLES = 16;
const NOTHING = { values: [], extremes: [], channels: [] };

/** Samples to measure errors or means on. A stream is not cut short: how it begins says little about it. */
const few = (calibration: Samples, samples: number, most: number): number =>
  calibration.sequence ? samples : Math.min(samples, most);

/** Metadata for `quantize/correct-bias`, which sees the integer graph only. */
const FLOAT_MEANS = "quantize/float-means";

function planOf(graph: Graph, options: Options): Plan {
  const { calibrator, percentile, activations, outputs, cache, int16, weights, block, weightScales: scales } = options;
  const layers = layerFormats(graph, options.formats);
  const wishes = formatWishes(graph, layers);
  const rounding = (node: Node): WeightPlan => ({ weights: layers.get(node)?.weights ?? weights, block, scales });
  return {
    // Where `auto` finds nothing to measure.
    calibrator: calibrator === "auto" ? "min-max" : calibrator,
    ...{ percentile, activations, outputs, cache },
    weights: rounding,
    ...{ int8: wishes.int8, int4: wishes.int4 },
    int16: new Set([...int16Values(graph, int16), ...wishes.int16]),
  };
}

function withCaches(graph: Graph, packed: readonly string[]): Graph {
  if (packed.length === 0) return graph;
  return { ...graph, metadata: new Map(graph.metadata).set(PACKED_CACHES, JSON.stringify(packed)) };
}

/** Value names, or names of teacher nodes whose outputs are meant; and what a lowering needs wide, such as gates. */
function int16Values(graph: Graph, names: readonly string[]): Set<string> {
  const wanted = new Set(names);
  const values = new Set(int16Wishes(graph));
  for (const name of graph.inputs) if (wanted.delete(name)) values.add(name);
  const found = new Set<string>();
  for (const node of graph.nodes) {
    const named = node.origin.filter((origin) => wanted.has(origin));
    for (const name of named) found.add(name);
    for (const output of node.outputs) {
      const meant = [output, unscaledName(output)].filter((name) => wanted.has(name));
      for (const name of meant) found.add(name);
      if (meant.length > 0 || named.length > 0) values.add(output);
    }
  }
  const unknown = [...wanted].find((name) => !found.has(name));
  if (unknown === undefined) return values;
  throw new CompileError("usage/unknown-value", `quantize.int16 names "${unknown}", which is no value and no node`, {
    where: "quantize.int16",
    remedy: "`optimus-compile inspect --text` prints the names",
  });
}

/**
 * Activations ride on accumulators whose ranges no type can carry, and 1/x must know how near to zero x comes: the lowering
 * reads both from the metadata.
 */
function withInnerRanges(graph: Graph, histograms: ReadonlyMap<string, Histogram>): Graph {
  const ranges: [string, Range][] = [...fusionGroups(graph).byAnchor.values()].map(({ inner }) => {
    const seen = histograms.get(inner);
    return [inner, { low: Math.min(0, seen?.minimum ?? 0), high: Math.max(0, seen?.maximum ?? 0) }];
  });
  for (const node of graph.nodes) {
    const seen = node.op === "Div" ? histograms.get(node.inputs[1]) : undefined;
    if (seen) ranges.push([node.inputs[1], { low: seen.minimum, high: seen.maximum }]);
  }
  return { ...graph, metadata: new Map(graph.metadata).set("quantize/inner-ranges", JSON.stringify(ranges)) };
}

export default pass;
