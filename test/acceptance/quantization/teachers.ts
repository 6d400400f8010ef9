/** Teachers, the data that they are calibrated on, and what quantizing them may cost. */
import { fileURLToPath } from "node:url";
import type { DataSpec } from "../../../src/data/dataset.ts";
import { FORMATS } from "../../../src/quant/format.ts";
import { loadRecipe, type Recipe } from "../../../src/recipe.ts";

export type FormatName = keyof typeof FORMATS;

/** Bounds of the mean over the seeds; absent where nothing is promised. */
export interface Bars {
  /** How much worse the metric may be. */
  readonly drop?: number;
  /** As `drop`, as a share of the teacher's metric. */
  readonly relativeDrop?: number;
  /** The least share of equal answers. */
  readonly agreement?: number;
  /** The least share of the weights that have 4 bits. */
  readonly int4Share?: number;
}

interface QuantizedTeacher {
  readonly recipe: string;
  /** Over the recipe. */
  readonly settings: readonly string[];
  /** Over the calibration data of the recipe, so that there is more of it to draw from. */
  readonly pool: DataSpec;
  readonly bars: Readonly<Partial<Record<FormatName, Bars>>>;
}

export const TEACHERS: Readonly<Record<string, QuantizedTeacher>> = {
  "ocr-rec": {
    recipe: "ocr-rec",
    settings: [],
    pool: { count: 1024 },
    bars: { W8A8: { drop: 0.001, agreement: 0.995 }, W4A8: { drop: 0.005, agreement: 0.98, int4Share: 0.85 } },
  },
  vad: { recipe: "vad", settings: [], pool: { repeats: 8 }, bars: { W8A8: { drop: 0.001 } } },
  "text-direction": {
    recipe: "text-direction",
    settings: [],
    pool: { count: 1024 },
    bars: { W8A8: { agreement: 0.99 }, W4A8: { agreement: 0.97 } },
  },
  quickstart: {
    recipe: "quickstart",
    settings: [],
    pool: {},
    bars: { W8A8: { agreement: 0.9985 }, W4A8: { agreement: 0.985 } },
  },
  depthwise: {
    recipe: "quickstart",
    settings: ["model=../fixtures/fashion-mnist/depthwise.onnx"],
    pool: {},
    bars: { W8A8: {}, W4A8: { drop: 0.008 } },
  },
  "char-gpt": {
    recipe: "char-gpt",
    settings: [],
    pool: { stride: 1024, limit: 1024 },
    bars: { W8A8: { relativeDrop: 0.005 }, W4A8: { relativeDrop: 0.015 }, W4A16: { relativeDrop: 0.005 } },
  },
  "text-encoder": { recipe: "text-encoder", settings: [], pool: { limit: 1024 }, bars: { W8A8: {}, W4A8: {} } },
};

/** The recipe of a teacher in a format, with further settings over it. */
export function recipeOf(name: string, format: FormatName, settings: readonly string[] = []): Recipe {
  const teacher = TEACHERS[name];
  const { weights, activations } = FORMATS[format];
  const path = fileURLToPath(new URL(`../../../recipes/${teacher.recipe}.yaml`, import.meta.url));
  return loadRecipe(path, {
    set: [...teacher.settings, `quantize.weights=${weights}`, `quantize.activations=${activations}`, ...settings],
  });
}

/** What calibration sets are drawn from. */
export function poolOf(name: string, recipe: Recipe): DataSpec {
  return { ...recipe.data.calibration, ...TEACHERS[name].pool };
}
