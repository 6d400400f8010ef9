/** What may help a quantized model, as changes to its recipe. */
import { stringify } from "yaml";
import type { Recipe } from "../recipe.ts";
import type { FormatName } from "../search/layers.ts";

type Quantize = Recipe["quantize"];

/** What a recipe is to say instead; `formats` and `int16` are added to what it says. */
export interface Patch {
  readonly quantize: Partial<
    Pick<
      Quantize,
      | "formats"
      | "int16"
      | "int16Share"
      | "int8Share"
      | "calibrator"
      | "equalize"
      | "split"
      | "smooth"
      | "rounding"
      | "biasCorrection"
    >
  >;
}

export interface Remedy {
  /** For people. */
  readonly what: string;
  /** Culprits that it is about; the whole model where there are none. */
  readonly about: readonly string[];
  readonly patch: Patch;
}

/** A layer or a value that takes the answers away from the teacher's. */
export interface Culprit {
  readonly name: string;
  /** As `quantize.formats` finds it; of a value that no layer reads, as `quantize.int16` does. */
  readonly keys: readonly string[];
  /** Absent where it is a value that no layer reads. */
  readonly format?: FormatName;
}

/** Formats that leave less error than the layer's own, and what is other in them. */
export const WIDER: Readonly<Record<FormatName, readonly (readonly [FormatName, string])[]>> = {
  W8A4: [["W8A8", "input in 8 bits"]],
  W4A4: [
    ["W4A8", "input in 8 bits"],
    ["W8A8", "weights and input in 8 bits"],
  ],
  W4A8: [
    ["W8A8", "weights in 8 bits"],
    ["W4A16", "input in 16 bits"],
    ["W8A16", "weights in 8 bits, input in 16"],
  ],
  W4A16: [["W8A16", "weights in 8 bits"]],
  W8A8: [["W8A16", "input in 16 bits"]],
  W8A16: [],
};

/** Wider formats for the worst culprits, then other ways to quantize the whole model that the recipe does not take yet. */
export function remediesFor({ quantize }: Recipe, culprits: readonly Culprit[]): Remedy[] {
  const own = culprits.flatMap(({ name, keys, format }): Remedy[] => {
    if (format === undefined) {
      return [{ what: "value in 16 bits", about: [name], patch: { quantize: { int16: [...keys] } } }];
    }
    return WIDER[format].map(([wider, what]) => ({
      what,
      about: [name],
      patch: { quantize: { formats: Object.fromEntries(keys.map((key) => [key, wider])) } },
    }));
  });
  const { int16Share, int8Share, calibrator, equalize, split, smooth, rounding, biasCorrection, weights, formats } =
    quantize;
  const four = weights === "int4" || Object.values(formats).some((format) => format.startsWith("W4"));
  const fitted = rounding !== "nearest" && rounding !== "auto";
  const whole: (Remedy | undefined)[] = [
    int16Share > 0 ? undefined : global("16 bits for the few values that need them", { int16Share: 0.1 }),
    weights === "int8" || int8Share > 0
      ? undefined
      : global("8-bit weights for the few layers that need them", { int8Share: 0.1 }),
    ...(["min-max", "percentile", "mse", "auto"] as const).map((name) =>
      name === calibrator ? undefined : global(`ranges by ${name}`, { calibrator: name }),
    ),
    global(equalize ? "no equalization" : "equalization of channels", { equalize: !equalize }),
    global(split ? "no splitting" : "splitting of channels that stand out", { split: !split }),
    global(smooth ? "no smoothing" : "smoothing of products' inputs", { smooth: !smooth }),
    fitted || (four && rounding === "auto") ? undefined : global("weights rounded by gptq", { rounding: "gptq" }),
    biasCorrection ? undefined : global("correction of biases", { biasCorrection: true }),
  ];
  return [...own, ...whole.filter((remedy) => remedy !== undefined)];
}

const global = (what: string, quantize: Patch["quantize"]): Remedy => ({ what, about: [], patch: { quantize } });

/** Both; where they contradict each other the second holds. */
export function both(a: Patch, b: Patch): Patch {
  const { formats, int16 } = { formats: { ...a.quantize.formats, ...b.quantize.formats }, int16: union(a, b) };
  return {
    quantize: {
      ...a.quantize,
      ...b.quantize,
      ...(Object.keys(formats).length > 0 && { formats }),
      ...(int16.length > 0 && { int16 }),
    },
  };
}

const union = (a: Patch, b: Patch): string[] => [
  ...new Set([...(a.quantize.int16 ?? []), ...(b.quantize.int16 ?? [])]),
];

/** The recipe as the patch has it. The patch's formats come last, so that they hold. */
export function patched(recipe: Recipe, { quantize: { formats = {}, int16 = [], ...rest } }: Patch): Recipe {
  const { quantize } = recipe;
  const kept = Object.entries(quantize.formats).filter(([key]) => !Object.hasOwn(formats, key));
  return {
    ...recipe,
    quantize: {
      ...quantize,
      ...rest,
      formats: { ...Object.fromEntries(kept), ...formats },
      int16: [...new Set([...quantize.int16, ...int16])],
    },
  };
}

/**
 * The file that `build --patch` takes: whole lists and maps, so that it says the same whatever the recipe says. It takes a goal away: the
 * formats that the goal came to stand in the patch.
 */
export function patchText(recipe: Recipe, patch: Patch, says: readonly string[], hasGoal: boolean): string {
  const { quantize } = patched(recipe, patch);
  const whole = {
    ...patch.quantize,
    ...(patch.quantize.int16 && { int16: quantize.int16 }),
    ...((patch.quantize.formats || hasGoal) && { formats: quantize.formats }),
  };
  const document = { ...(hasGoal && { goal: null }), quantize: whole };
  return `${says.map((line) => `# ${line}\n`).join("")}${stringify(document)}`;
}
