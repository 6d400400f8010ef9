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
  // What no convolution could take becomes Mul and Add, which a MatMul before them, or a Conv after them, may still take.
  "fuse/bn-to-scale",
  "fuse/matmul-add",
  // A scale and a shift by turns, as reparametrized blocks have them.
  { repeat: ["fuse/scale", "fuse/bias"] },
  // The scales that are left belong behind the products of attention.
  "fuse/attention",
];

const FLOAT: readonly PassSpec[] = [{ repeat: SIMPLIFY }, ...FUSE, { repeat: SIMPLIFY }];

const INT8: readonly PassSpec[] = [
  ...FLOAT,
  // What the chip has no operator for, said with those it has, while numbers are still float…
  "lower/lstm",
  "lower/inner-product",
  "lower/channel-affine",
  // …and the Reshapes and Slices that this brings, tidied before scales are decided for their values.
  { repeat: SIMPLIFY },
  "quantize/int8",
  "lower/integer",
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
