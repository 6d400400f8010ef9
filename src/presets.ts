import { CompileError } from "./error.ts";
import type { PassSpec } from "./pass.ts";
import { didYouMean } from "./suggest.ts";

/**
 * Named lists of passes. The order is the list's, top to bottom; why a step stands where it does is said beside it. A
 * recipe's `passes` may name one of these or give a list of its own.
 */
const SIMPLIFY: readonly PassSpec[] = [
  // Conditions and shapes become constants first, so that the branch that is taken is known…
  "simplify/shape-chain",
  "simplify/constant-fold",
  // …and what a branch brings in may hold further conditions: hence all of it until nothing changes.
  "simplify/constant-if",
  "simplify/no-op",
  "simplify/cast",
  // Reshapes are one kind before transpositions look for what they can pass.
  "simplify/reshape-merge",
  "simplify/transpose",
  "simplify/transpose-operands",
  // Equal nodes are merged when their inputs have been, so late in a round.
  "simplify/common-subexpression",
  "simplify/dead-code",
];

const FUSE: readonly PassSpec[] = [
  // Padding belongs to the Conv before anything is folded into its weights.
  "fuse/pad-conv",
  "fuse/conv-bn",
  "fuse/conv-transpose-bn",
  // Activations and norms are recognized before scales and shifts are moved: a Div by 6 before a Conv may be HardSwish's.
  // Clips in one spelling first; HardSwish in full, then HardSigmoid, then the HardSwish that is made of it.
  "fuse/relu6",
  "fuse/hard-swish",
  "fuse/hard-sigmoid",
  "fuse/hard-swish",
  "fuse/silu",
  "fuse/gelu-erf",
  "fuse/gelu-tanh",
  "fuse/p-relu",
  "fuse/layer-norm",
  "fuse/rms-norm",
  // Magnitudes too, while their squares are still squares: 16 bits hold a length, but of a square only what is loud.
  "fuse/hypot",
  // What no convolution could take becomes Mul and Add, which a MatMul before them, or a Conv after them, may still take.
  "fuse/bn-to-scale",
  "fuse/matmul-add",
  // A scale and a shift by turns, as reparametrized blocks have them.
  { repeat: ["fuse/scale", "fuse/bias"] },
  // The scales that are left belong behind the products of attention.
  "fuse/attention",
];

const FLOAT: readonly PassSpec[] = [{ repeat: SIMPLIFY }, ...FUSE, { repeat: SIMPLIFY }];

/** Scales and shifts ride on a layer's table for nothing on the chip; in a training each is a pass over memory, forward and back. */
const TRAINING: readonly PassSpec[] = [
  ...FLOAT,
  // Where a Conv pads, the scale before the shift must pass it first; then the one is taken into weights, the other into biases.
  { repeat: ["fuse/shift", "fuse/scale", "fuse/bias"] },
  "simplify/dead-code",
];

/** What the chip has no operator for, said with those it has, while numbers are still float. */
const LOWER: readonly PassSpec[] = [
  // What stands for several operators comes apart first: the parts are what the next steps know.
  "lower/ort-fused",
  "lower/attention",
  "lower/lstm",
  "lower/gru",
  "lower/rnn",
  "lower/instance-norm",
  "lower/lp-normalization",
  "lower/lrn",
  "lower/log-softmax",
  "lower/reduce",
  "lower/cum-sum",
  "lower/trilu",
  "lower/variadic",
  // Integers become real before they are moved.
  "lower/cast-first",
  // A mask's −∞ must go before anything is calibrated, and before selections become arithmetic, which would multiply it.
  "lower/mask",
  "lower/select",
  "lower/clip",
  "lower/p-relu",
  "lower/conv-3d",
  // Products in all their forms become those of matrices, and with constant weights the array's inner product.
  "lower/einsum",
  "lower/vector-product",
  "lower/gemm",
  "lower/inner-product",
  // A constant factor or summand a channel that no convolution took is a convolution of its own.
  "lower/channel-affine",
];

const INT8: readonly PassSpec[] = [
  // The chip runs from end to end: loops of known length are written out, and of branches that are not known both are
  // computed. What they bring in is fused below; it may hold further ones, hence until nothing changes.
  { repeat: [...SIMPLIFY, "lower/unroll", "lower/if"] },
  // Products that were quantized at run time are real again before anything looks for products.
  "lower/dynamic-quantization",
  ...FLOAT,
  ...LOWER,
  // The Reshapes and Slices that this brings are tidied before scales are decided for their values; functions go back
  // to the products that they can ride on.
  { repeat: [...SIMPLIFY, "lower/sink-reshape"] },
  // Codes that a model came with, as the chip has them.
  "lower/codes",
  // By value names, so when these are settled.
  "lower/wide-states",
  "quantize/equalize",
  // Whatever range one channel still makes wide by itself.
  "quantize/split",
  // Only what equalizing could not reach: products behind norms and other products.
  "quantize/smooth",
  "quantize/even-caches",
  // Weights before ranges: activations are then seen as the rounded weights make them.
  "quantize/round-weights",
  "quantize/int8",
  "lower/integer",
  "lower/pack-caches",
  // Biases are moved last: only now are all roundings there whose offsets they take back.
  "quantize/correct-bias",
  // Whatever the outputs became, this compares their codes.
  "lower/margin",
  "simplify/common-subexpression",
  "simplify/dead-code",
];

const PRESETS: Readonly<Record<string, readonly PassSpec[]>> = {
  /** What a recipe gets that says nothing. */
  default: INT8,
  /** Only what makes the graph smaller and says the same with fewer nodes. */
  simplify: [{ repeat: SIMPLIFY }],
  /** Everything that keeps the numbers (to rounding): the float model as the integer steps want it. */
  float: FLOAT,
  /** The same for a network that learns or is learnt from: nothing stays that a weight can hold. */
  training: TRAINING,
  /** The whole way to the chip's integer operators. */
  int8: INT8,
};

export function listPresets(): string[] {
  return Object.keys(PRESETS).sort();
}

/** The passes of a preset, in order. Throws usage/unknown-preset, with the name that was probably meant. */
export function presetPasses(name: string): readonly PassSpec[] {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset !== undefined) return preset;
  throw new CompileError("usage/unknown-preset", `there is no preset "${name}"`, {
    where: "passes",
    remedy: didYouMean(name, listPresets()),
  });
}
