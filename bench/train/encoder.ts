/** A transformer that tells which class a text is of, from its characters: the network of the text encoder's recipe. */
import type { Drafting } from "./build.ts";
import { type GptSize, layerNorm, linear, transformerLayers } from "./gpt.ts";

export interface EncoderSize extends Omit<GptSize, "stem"> {
  /** Numbers a character has. */
  readonly letters: number;
  /** Characters that a place sees, and how far it is from one place to the next. */
  readonly reach: number;
  readonly stride: number;
  readonly classes: number;
}

/**
 * Scores [batch, classes] from class numbers [batch, stride · context]. A convolution makes a place of every `stride` characters, with
 * its neighbours; all places see each other; the mean of what they end with is judged.
 */
export function encoderScores(net: Drafting, tokens: string, size: EncoderSize): string {
  const { vocabulary, context, width, letters, reach, stride, classes } = size;
  const turned = { perm: { ints: [0, 2, 1] } };
  const table = net.weight("embedding.weight", [vocabulary, letters], 0.05);
  const places = net.weight("positions.weight", [context, width], 0.05);
  const fetched = net.node("Transpose", [net.node("Gather", [table, tokens])], turned);
  const before = Math.floor((reach - stride) / 2);
  const kernels = net.weight("stem.weight", [width, letters, 1, reach], 1 / Math.sqrt(letters * reach));
  const words = net.node(
    "Conv",
    [net.reshape(fetched, [0, 0, 1, stride * context]), kernels, net.filled("stem.bias", [width], 0)],
    {
      kernel_shape: { ints: [1, reach] },
      strides: { ints: [1, stride] },
      pads: { ints: [0, before, 0, reach - stride - before] },
    },
  );
  const rows = net.node("Transpose", [net.reshape(net.node("Gelu", [words]), [0, 0, context])], turned);
  const x = transformerLayers(net, net.node("Add", [rows, places]), size);
  const whole = net.node("ReduceMean", [layerNorm(net, "norm", x, width), net.constant("axes", AXES)], {
    keepdims: { i: 0 },
  });
  return linear(net, "classifier", whole, width, classes);
}

const AXES = { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) } as const;
