/** The float model as it comes to the passes that quantize, and what they would make of it. */

import type { BuildData } from "../build/data.ts";
import { lowerTeacher } from "../build/lower.ts";
import { passesOf } from "../build/passes.ts";
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { PassSpec } from "../pass.ts";
import { stepsOf } from "../quant/calibrate.ts";
import { roundNetwork } from "../quant/rounding/network.ts";
import { METHODS } from "../quant/rounding/round.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import type { FormatName } from "./layers.ts";
import type { Quantized } from "./sensitivity.ts";

/** A recipe's model before quantization, and the way on from there. */
export interface Prepared {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly data: BuildData;
  /** Float operators, as the first quantizing pass gets them. */
  readonly graph: Graph;
  readonly signal?: AbortSignal;
}

const QUANTIZING: ReadonlySet<string> = new Set(["quantize/round-weights", "quantize/int8"]);

export const nameOf = (spec: PassSpec): string | undefined => {
  if (typeof spec === "string") return spec;
  return "pass" in spec && typeof spec.pass === "string" ? spec.pass : undefined;
};

/** Throws usage/nothing-quantized where the recipe's passes do not quantize and lower. */
export async function prepare(
  recipe: Recipe,
  target: Target,
  teacher: Graph,
  data: BuildData,
  signal?: AbortSignal,
): Promise<Prepared> {
  const passes = passesOf(recipe, target);
  const names = passes.map(nameOf);
  const first = firstQuantizing(passes);
  if (first < 0 || !names.includes("quantize/int8") || !names.includes("lower/integer")) {
    throw new CompileError("usage/nothing-quantized", "formats can only be chosen where passes quantize and lower", {
      where: "passes",
      remedy: "use the preset `default`, or a list with quantize/int8 and lower/integer",
    });
  }
  const { graph } = await lowerTeacher(recipe, target, teacher, data, signal ? { signal } : {}, passes.slice(0, first));
  return { recipe, target, data, graph, ...(signal && { signal }) };
}

const firstQuantizing = (passes: readonly PassSpec[]): number =>
  passes.findIndex((spec) => QUANTIZING.has(nameOf(spec) ?? ""));

/** Samples that ranges and roundings are told from where only one layer at a time is looked at. */
const SAMPLES = 64;
const fewOf = ({ calibration }: BuildData): number => stepsOf(calibration) * SAMPLES;
const VECTORS = 256;

/** Each layer's weights and values as if it were the only one that is quantized; without `four`, 4 bits are not looked at and are as 8; with `narrow` values in 4 bits are. */
export async function quantizedAlone(prepared: Prepared, four = true, narrow = false): Promise<Quantized> {
  const { graph } = prepared;
  const int8 = await rounded(prepared, "int8");
  return {
    graph,
    weights: { int8, int4: four ? await rounded(prepared, "int4") : int8 },
    values: {
      int8: await annotated(prepared, everywhere(graph, "W8A8")),
      int16: await annotated(prepared, everywhere(graph, "W8A16")),
      ...(narrow && { int4: await annotated(prepared, everywhere(graph, "W4A4")) }),
    },
  };
}

/** The float graph with all weights rounded to so many bits as the recipe rounds them, as reals, on inputs from the float model. */
export function rounded({ recipe, data, graph, signal }: Prepared, format: "int8" | "int4"): Promise<Graph> {
  const { rounding, block, biasCorrection, samples } = recipe.quantize;
  const auto = format === "int4" ? "gptq" : "nearest";
  const method = rounding === "auto" ? auto : (METHODS.find((name) => name === rounding) ?? auto);
  return roundNetwork(graph, data.calibration, {
    method,
    block: block === "all" ? Number.POSITIVE_INFINITY : block,
    formatOf: () => format,
    prefix: "float",
    biasCorrection: biasCorrection && method !== "nearest",
    emit: "reals",
    samples: Math.min(samples, fewOf(data)),
    vectors: VECTORS,
    stages: 4,
    damping: 0.01,
    actOrder: true,
    passes: 4,
    steps: 500,
    jobs: recipe.jobs,
    ...(signal && { signal }),
  });
}

/** The float graph with types that say how every value would be stored, ranges being told from few samples. */
export async function annotated(prepared: Prepared, formats: Readonly<Record<string, FormatName>>): Promise<Graph> {
  const { recipe, target, data, graph, signal } = prepared;
  const samples = Math.min(recipe.quantize.samples, fewOf(data));
  const quantize = { ...recipe.quantize, formats, samples, biasCorrection: false };
  const passes = passesOf({ ...recipe, quantize }, target).filter((spec) => nameOf(spec) === "quantize/int8");
  const options = signal ? { signal } : {};
  return (await lowerTeacher(recipe, target, graph, data, options, passes.slice(0, 1))).graph;
}

/** `quantize.formats` for all layers; none where there are no layers, since a pattern that matches nothing is an error. */
export function everywhere(graph: Graph, format: FormatName): Readonly<Record<string, FormatName>> {
  const any = graph.nodes.some(({ op, domain }) => domain === "" && /^(Conv|ConvTranspose|Gemm|MatMul)$/.test(op));
  return any && format !== "W8A8" ? { "*": format } : {};
}

/** A graph of integers that costs what the plan's own will cost: ranges and roundings, which decide no cycle, are rough. */
export async function skeletonOf(prepared: Prepared, formats: Readonly<Record<string, FormatName>>): Promise<Graph> {
  const { recipe, target, data, graph, signal } = prepared;
  const rough = { calibrator: "min-max", rounding: "nearest", biasCorrection: false, samples: 2 } as const;
  const passes = passesOf({ ...recipe, quantize: { ...recipe.quantize, ...rough, formats } }, target);
  const rest = passes.slice(firstQuantizing(passes));
  return (await lowerTeacher(recipe, target, graph, data, signal ? { signal } : {}, rest)).graph;
}
