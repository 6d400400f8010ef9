import type { Check, RunGraph } from "../check.ts";
import { CompileError } from "../error.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { encodeModel } from "../onnx/write.ts";
import type { PassSpec, Samples } from "../pass.ts";
import { loadPass } from "../passes.ts";
import { presetPasses } from "../presets.ts";
import { FORMATS } from "../quant/format.ts";
import { INSTEAD } from "../quant/narrow.ts";
import type { Recipe } from "../recipe.ts";
import { createSession } from "../run/ort.ts";
import type { Target } from "../target/schema.ts";

/** Samples that a pass is checked on: enough to meet both sides of most branches. */
const CHECKED_SAMPLES = 2;

/**
 * The recipe's passes in order, all of which are there: a mistyped name shows before anything is computed. What `quantize`
 * says goes to the quantizing passes and what the target's arithmetic is to the lowering; an option that stands in the
 * list itself comes first.
 */
export function passesOf(recipe: Recipe, target: Target): PassSpec[] {
  requireActivations(recipe, target);
  const list = typeof recipe.passes === "string" ? presetPasses(recipe.passes) : recipe.passes;
  const { equalize, split, smooth, rounding, int8Share, ...quantize } = recipe.quantize;
  const { samples, weights, activations, block, formats, biasCorrection } = quantize;
  const defaults = new Map<string, object>([
    ["quantize/equalize", { enabled: equalize, weights, formats, samples: Math.min(samples, EQUALIZING_SAMPLES) }],
    ["quantize/split", { enabled: split, samples: Math.min(samples, EQUALIZING_SAMPLES) }],
    [
      "quantize/smooth",
      { enabled: smooth, weights, activations, formats, samples: Math.min(samples, SMOOTHING_SAMPLES) },
    ],
    ["quantize/even-caches", { cache: quantize.cache, samples: Math.min(samples, CACHE_SAMPLES) }],
    [
      "quantize/round-weights",
      {
        ...{ method: rounding, weights, block, formats, biasCorrection, int8Share },
        samples: Math.min(samples, ROUNDING_SAMPLES),
      },
    ],
    ["lower/codes", { weights, block, weightScales: quantize.weightScales }],
    ["quantize/int8", quantize],
    ["quantize/correct-bias", { enabled: quantize.biasCorrection }],
    [
      "lower/integer",
      {
        ...{ round: target.round, accumulatorBits: Math.min(32, target.array.accumulatorBits) },
        int4Activations: takesNarrow(target),
      },
    ],
    ["lower/margin", marginOf(recipe, target)],
  ]);
  return list.map((spec) => withDefaults(spec, defaults));
}

const takesNarrow = (target: Target): boolean => target.array.int4Activations === true;

/** Before anything is calibrated; `lower/integer` refuses a model that came with activations of 4 bits. */
function requireActivations({ quantize: { activations, formats } }: Recipe, target: Target): void {
  const layer = Object.entries(formats).find(([, format]) => FORMATS[format].activations === "int4");
  if ((activations !== "int4" && layer === undefined) || takesNarrow(target)) return;
  const says = layer === undefined ? "quantize.activations is int4" : `${layer[1]} for "${layer[0]}"`;
  throw new CompileError(
    "usage/no-int4-activations",
    `${says}, and the target ${target.name} has no 4-bit activations`,
    {
      where: layer === undefined ? "quantize.activations" : "quantize.formats",
      remedy: INSTEAD,
    },
  );
}

/** Where nobody searches: throws usage/open-goal for a recipe whose formats a build would choose. */
export function requireFormats({ goal }: Recipe): void {
  if (goal === undefined) return;
  throw new CompileError("usage/open-goal", "the recipe has a goal, and only a build chooses formats for it", {
    where: "goal",
    remedy: "build, then put `search.formats` of `build --json` into quantize.formats in the goal's place",
  });
}

/** Metrics whose answers are classes and whose faults are counted sample by sample: those that escalation is about. */
const CLASSIFYING: ReadonlySet<string> = new Set(["accuracy", "cer"]);

/** What `confidence` says to `lower/margin`: by itself where somebody can use it and the chip can compute it. */
function marginOf({ confidence, metric }: Recipe, target: Target): object {
  const { name, output } = typeof metric === "string" ? { name: metric, output: undefined } : metric;
  const auto = CLASSIFYING.has(name) && !target.lacks.includes("ReduceMargin");
  return {
    enabled: confidence === "auto" ? auto : confidence !== "none",
    ...(typeof output === "string" && { output }),
    over: confidence === "mean-margin" ? "mean" : "least",
    ctc: name === "cer",
  };
}

/** Channel ranges settle sooner than the tails that clipping is about. */
const EQUALIZING_SAMPLES = 64;
const SMOOTHING_SAMPLES = 32;
/** Steps of a stream follow each other, so few of them are alike: some windows are a few hundred. */
const CACHE_SAMPLES = 1024;
/** Each is run once for every share of the layers. */
const ROUNDING_SAMPLES = 128;

function withDefaults(spec: PassSpec, defaults: ReadonlyMap<string, object>): PassSpec {
  if (typeof spec === "object" && "repeat" in spec) {
    return { repeat: (spec.repeat as readonly PassSpec[]).map((inner) => withDefaults(inner, defaults)) };
  }
  const { pass, ...options } = (typeof spec === "string" ? { pass: spec } : spec) as { readonly pass: string };
  loadPass(pass);
  const given = defaults.get(pass);
  return given ? { pass, ...given, ...options } : spec;
}

/** Each pass's graph runs beside the one before it under ONNX Runtime. */
export function checkOf(samples: Samples): Check {
  return { samples: { ...samples, size: Math.min(samples.size, CHECKED_SAMPLES) }, run: runUnderOrt };
}

const runUnderOrt: RunGraph = async (graph, feeds, keep) => {
  const outputs = [...new Set([...graph.outputs, ...keepable(graph, keep)])];
  const session = await createSession(encodeModel({ ...graph, outputs, states: [] }), { optimization: "disabled" });
  try {
    const initial = graph.states.map(({ input, init }): [string, Tensor] => [input, init]);
    return await session.run(new Map([...initial, ...feeds].filter(([name]) => graph.inputs.includes(name))));
  } finally {
    await session.release();
  }
};

function keepable(graph: Graph, keep: ReadonlySet<string>): string[] {
  return graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== "" && keep.has(name)));
}
