import { channelValues, fromReals } from "../../src/ir/channels.ts";
import { attrs, isStatic } from "../../src/ir/graph.ts";
import { constant, type Found, type NewNode, rewrite } from "../../src/ir/rewrite.ts";
import type { Pass } from "../../src/pass.ts";

const affine = rewrite({
  summary: "A gain and a shift.",
  match: `
    y = Mul(x, g)
    z = Add(y, b)
  `,
  replace: (found) => depthwise(found, true, true),
});

const gain = rewrite({ summary: "A gain.", match: "z = Mul(x, g)", replace: (found) => depthwise(found, true, false) });

const shift = rewrite({
  summary: "A shift.",
  match: "z = Add(x, b)",
  replace: (found) => depthwise(found, false, true),
});

/**
 * A gain and a shift for each channel are a depthwise 1×1 convolution: its weights get a scale for every channel, and its
 * shift starts the accumulator in 32 bits, where an element-wise product would round the gains to one common scale.
 */
const pass: Pass = {
  summary: "Makes a multiplication and an addition by one constant a channel a depthwise 1×1 convolution.",
  run: (graph) => shift.run(gain.run(affine.run(graph))),
};

export default pass;

function depthwise(found: Found, hasGain: boolean, hasShift: boolean): NewNode | undefined {
  const { value, tensor, type } = found;
  const shape = type("x")?.shape;
  if (!isStatic(shape) || shape.length < 3 || shape.length > 4 || shape[1] === 1) return undefined;
  const channels = shape[1];
  const perChannel = (name: string): Float64Array | undefined => {
    const constantTensor = tensor(name);
    // One number for everything is an element-wise operand as good as any.
    if (!constantTensor || constantTensor.shape.every((size) => size === 1)) return undefined;
    return channelValues(constantTensor, shape.length, 1, channels);
  };
  const gains = hasGain ? perChannel("g") : new Float64Array(channels).fill(1);
  const shifts = hasShift ? perChannel("b") : new Float64Array(channels);
  if (!gains || !shifts) return undefined;
  const ones = new Array<number>(shape.length - 2).fill(1);
  return {
    op: "Conv",
    inputs: [
      value("x"),
      constant(fromReals("float32", [channels, 1, ...ones], gains), hasGain ? "g" : "b"),
      constant(fromReals("float32", [channels], shifts), hasShift ? "b" : "g"),
    ],
    attrs: attrs({
      group: { i: channels },
      kernel_shape: { ints: ones },
      strides: { ints: ones },
      dilations: { ints: ones },
      pads: { ints: [...ones, ...ones].map(() => 0) },
    }),
  };
}
