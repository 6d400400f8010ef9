/** In how many bits a layer's numbers are stored. */

/** int4 weights are progressive: 4-bit codes times a small integer factor a block are the int8 that the array multiplies. */
export const WEIGHT_FORMATS = ["int8", "int4"] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** int4 activations are codes of 16 levels, of which each takes a byte; int16 ones are multiplied in two passes. */
export const ACTIVATION_FORMATS = ["int4", "int8", "int16"] as const;
export type ActivationFormat = (typeof ACTIVATION_FORMATS)[number];

export interface Format {
  readonly weights: WeightFormat;
  readonly activations: ActivationFormat;
}

/** The formats by the names that recipes use: bits of the weights, bits of the activations. */
export const FORMATS: Readonly<Record<"W8A4" | "W8A8" | "W8A16" | "W4A4" | "W4A8" | "W4A16", Format>> = {
  W8A4: { weights: "int8", activations: "int4" },
  W8A8: { weights: "int8", activations: "int8" },
  W8A16: { weights: "int8", activations: "int16" },
  W4A4: { weights: "int4", activations: "int4" },
  W4A8: { weights: "int4", activations: "int8" },
  W4A16: { weights: "int4", activations: "int16" },
};

/** Weights that share a factor: so many neighbours along the reduction, or all of an output channel. */
export const BLOCKS = [32, 64, 128, "all"] as const;
export type Block = (typeof BLOCKS)[number];

/** How a weight's step is chosen: so that nothing is clipped, or so that the squared error is least. */
export const WEIGHT_SCALES = ["max", "mse"] as const;
export type WeightScales = (typeof WEIGHT_SCALES)[number];

/** How weights are stored and rounded. */
export interface WeightPlan {
  readonly weights: WeightFormat;
  /** int4 only. */
  readonly block: Block;
  readonly scales: WeightScales;
}
