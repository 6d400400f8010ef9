import { intAttr } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { transposedConvolutionOf } from "../../ops/shared/npu/convolution.ts";
import { planeOf } from "./conv.ts";
import { packRows } from "./pack.ts";
import { layPost } from "./post.ts";
import { type CompileStep, partsOf } from "./step.ts";

/** npu.ConvTranspose: one product gives every kernel position's share of every input; the shares are added to their places. */
export const compileConvTranspose: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const x = context.input(0);
  const [w, bias] = [context.constant(1), context.constant(2)];
  const zero = intAttr(node, "x_zero", 0);
  if (!w || !bias || x.shape.length > 4 || (x.dtype === "int16" && zero !== 0)) return undefined;
  const geometry = transposedConvolutionOf(node, x, w);
  const post = layPost(context, 3, { bias });
  if (post === undefined) return undefined;
  const { batch, group, inputs, outputs } = geometry;
  const plane = planeOf(geometry.window.output, geometry.sizes, geometry);
  const { height, width, outHeight, outWidth, kernel, strides, dilations, begin } = plane;
  const size = kernel[0] * kernel[1];
  const rows = outputs * size;
  const values = numbersOf(w);
  const weights = Array.from({ length: group }, (_, index) =>
    layout.constant(packRows(rows, inputs, (row, k) => values[(index * inputs + k) * rows + row])),
  );
  const parts = partsOf(x.dtype);
  const pairs = Math.ceil(inputs / 2);
  const pixels = height * width;
  const outPixels = outHeight * outWidth;
  const panels = Math.ceil(pixels / 8);
  const stride = (pixels + 8) * 4;
  const geometryNumbers = [height, width, ...kernel, ...strides, ...dilations, ...begin, outHeight, outWidth];
  const room = layout.scratch(panels * pairs * 32, ...parts.flatMap(() => [rows * stride, outPixels * 4 + 32]));
  return () => {
    const [b, ...places] = room.map((offset) => offset + layout.scratchAddress);
    for (let image = 0; image < batch * group; image++) {
      const source = x.address + image * inputs * pixels * x.bytes;
      for (const [pass, part] of parts.entries()) {
        kernels.packRight(source, pixels * x.bytes, inputs, panels, part, zero, b);
        kernels.gemmRaw(weights[image % group], b, pairs, rows, 1, panels, pixels, places[2 * pass]);
      }
      for (let channel = 0; channel < outputs; channel++) {
        for (let at = 0; at < places.length; at += 2) {
          const [products, acc] = [places[at], places[at + 1]];
          new Int32Array(kernels.memory.buffer, acc, outPixels).fill(0);
          kernels.spreadProducts(products + channel * size * stride, stride, ...geometryNumbers, acc);
        }
        const to = output.address + (image * outputs + channel) * outPixels * output.bytes;
        const at = (image % group) * outputs + channel;
        if (parts.length > 1) kernels.postRowPair(post, at, 0, places[1], places[3], outPixels, to);
        else kernels.postRow(post, at, 0, places[1], outPixels, to);
      }
    }
  };
};
