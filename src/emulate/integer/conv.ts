import { elementCount, intAttr, type Tensor } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { type Convolution, convolutionOf } from "../../ops/shared/npu/convolution.ts";
import { packRows, panelsFor } from "./pack.ts";
import { layPost } from "./post.ts";
import { type CompileStep, partsOf, type Slot, type Step, type StepContext } from "./step.ts";

/** A convolution seen in two dimensions: a 1-D one has one row. */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly begin: readonly [number, number];
}

export function planeOf(sizes: readonly number[], output: readonly number[], { window }: Convolution): Plane {
  const pair = (list: readonly number[], one: number): [number, number] =>
    list.length === 1 ? [one, list[0]] : [list[0], list[1]];
  const [height, width] = pair(sizes, 1);
  const [outHeight, outWidth] = pair(output, 1);
  return {
    height,
    width,
    outHeight,
    outWidth,
    kernel: pair(window.kernel, 1),
    strides: pair(window.strides, 1),
    dilations: pair(window.dilations, 1),
    begin: pair(window.begin, 0),
  };
}

/** npu.Conv: 1×1 straight from the codes, depthwise tap by tap, all else as windows laid out for the product kernel. */
export const compileConv: CompileStep = (context) => {
  const x = context.input(0);
  const [w, bias] = [context.constant(1), context.constant(2)];
  if (!w || !bias || x.shape.length > 4 || (x.dtype === "int16" && intAttr(context.node, "x_zero", 0) !== 0)) return;
  const geometry = convolutionOf(context.node, x, w);
  const post = layPost(context, 3, { bias });
  if (post === undefined) return;
  const plane = planeOf(geometry.sizes, geometry.window.output, geometry);
  if (geometry.inputs === 1 && geometry.group > 1) return depthwise(context, x, w, geometry, plane, post);
  const pointwise =
    elementCount(geometry.window.kernel) === 1 &&
    [...geometry.window.strides].every((step) => step === 1) &&
    [...geometry.window.begin, ...geometry.window.end].every((pad) => pad === 0);
  return pointwise
    ? pointwiseStep(context, x, w, geometry, plane, post)
    : windowStep(context, x, w, geometry, plane, post);
};

function packedWeights(context: StepContext, w: Tensor, { group, inputs, outputs, window }: Convolution): number[] {
  const values = numbersOf(w);
  const depth = inputs * elementCount(window.kernel);
  return Array.from({ length: group }, (_, index) => {
    const first = index * outputs * depth;
    return context.layout.constant(packRows(outputs, depth, (row, k) => values[first + row * depth + k]));
  });
}

function pointwiseStep(
  { node, kernels, layout, output }: StepContext,
  x: Slot,
  w: Tensor,
  geometry: Convolution,
  { height, width }: Plane,
  post: number,
): Step {
  const { batch, group, inputs, outputs } = geometry;
  const weights = packedWeights({ node, kernels, layout, output } as StepContext, w, geometry);
  const zero = intAttr(node, "x_zero", 0);
  const parts = partsOf(x.dtype);
  const pairs = Math.ceil(inputs / 2);
  const pixels = height * width;
  const tile = panelsFor(pairs, Math.ceil(pixels / 8));
  const room = layout.scratch(tile * pairs * 32, tile * pairs * 32, (tile * 8 + 8) * 16, (tile * 8 + 8) * 16);
  return () => {
    const [b, b2, acc, acc2] = room.map((offset) => offset + layout.scratchAddress);
    const stride = pixels * x.bytes;
    for (let image = 0; image < batch * group; image++) {
      const source = x.address + image * inputs * stride;
      const target = output.address + image * outputs * pixels * output.bytes;
      const a = weights[image % group];
      const channel = (image % group) * outputs;
      for (let first = 0; first < pixels; first += tile * 8) {
        const columns = Math.min(tile * 8, pixels - first);
        const panels = Math.ceil(columns / 8);
        const from = source + first * x.bytes;
        kernels.packRight(from, stride, inputs, panels, parts[0], zero, b);
        if (parts.length > 1) kernels.packRight(from, stride, inputs, panels, parts[1], zero, b2);
        const second = parts.length > 1 ? acc2 : 0;
        const to = target + first * output.bytes;
        kernels.gemmTile(
          a,
          a,
          b,
          b2,
          pairs,
          outputs,
          1,
          panels,
          columns,
          acc,
          second,
          post,
          channel,
          0,
          to,
          pixels * output.bytes,
          0,
        );
      }
    }
  };
}

/** Padded planes, columns sorted by phase, and where each tap lies in them. */
function paddedLayout({ kernel, strides, dilations, outHeight, outWidth }: Plane, channels: number) {
  const tall = (outHeight - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1;
  const reach = Math.floor(((kernel[1] - 1) * dilations[1]) / strides[1]);
  const wide = Math.ceil((Math.ceil(outWidth / 8) * 8 + reach) / 8) * 8;
  const taps: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    for (let ky = 0; ky < kernel[0]; ky++) {
      for (let kx = 0; kx < kernel[1]; kx++) {
        const column = kx * dilations[1];
        const phase = channel * strides[1] + (column % strides[1]);
        taps.push(2 * ((phase * tall + ky * dilations[0]) * wide + Math.floor(column / strides[1])));
      }
    }
  }
  // An odd depth gets a last tap with weight 0.
  if (taps.length % 2 === 1) taps.push(taps[0]);
  return {
    tall,
    wide,
    taps: Int32Array.from(taps),
    channelBytes: strides[1] * tall * wide * 2,
    stepY: strides[0] * wide * 2,
  };
}

function windowStep(context: StepContext, x: Slot, w: Tensor, geometry: Convolution, plane: Plane, post: number): Step {
  const { node, kernels, layout, output } = context;
  const { batch, group, inputs, outputs } = geometry;
  const { height, width, outHeight, outWidth, strides, begin } = plane;
  const weights = packedWeights(context, w, geometry);
  const { tall, wide, taps, channelBytes, stepY } = paddedLayout(plane, inputs);
  const tapsAddress = layout.constant(taps);
  const zero = intAttr(node, "x_zero", 0);
  const parts = partsOf(x.dtype);
  const pairs = taps.length / 2;
  const panelsPerRow = Math.ceil(outWidth / 8);
  const tile = panelsFor(pairs, panelsPerRow * outHeight);
  const tileRows = Math.max(1, Math.min(outHeight, Math.floor(tile / panelsPerRow)));
  const tilePanels = Math.min(tile, panelsPerRow);
  const tileBytes = tileRows * tilePanels * pairs * 32;
  const accBytes = (tileRows * tilePanels * 8 + 8) * 16;
  const planesBytes = inputs * channelBytes;
  const room = layout.scratch(
    tileBytes,
    tileBytes,
    accBytes,
    accBytes,
    planesBytes,
    parts.length > 1 ? planesBytes : 0,
  );
  const outPlane = outHeight * outWidth * output.bytes;
  return () => {
    const [b, b2, acc, acc2, planes, planes2] = room.map((offset) => offset + layout.scratchAddress);
    const second = parts.length > 1 ? acc2 : 0;
    for (let image = 0; image < batch * group; image++) {
      const source = x.address + image * inputs * height * width * x.bytes;
      const channel = (image % group) * outputs;
      const a = weights[image % group];
      const target = output.address + image * outputs * outPlane;
      for (const [index, part] of parts.entries()) {
        const to = index === 0 ? planes : planes2;
        kernels.padPlanes(source, inputs, height, width, begin[0], begin[1], tall, wide, strides[1], part, zero, to);
      }
      for (let row = 0; row < outHeight; row += tileRows) {
        const rows = Math.min(tileRows, outHeight - row);
        for (let first = 0; first < outWidth; first += tilePanels * 8) {
          const columns = Math.min(tilePanels * 8, outWidth - first);
          const panels = Math.ceil(columns / 8);
          const offset = row * stepY + first * 2;
          kernels.packWindows(planes + offset, tapsAddress, pairs, rows, stepY, panels, b);
          if (second) kernels.packWindows(planes2 + offset, tapsAddress, pairs, rows, stepY, panels, b2);
          const to = target + (row * outWidth + first) * output.bytes;
          kernels.gemmTile(
            a,
            a,
            b,
            b2,
            pairs,
            outputs,
            rows,
            panels,
            columns,
            acc,
            second,
            post,
            channel,
            0,
            to,
            outPlane,
            0,
          );
        }
      }
    }
  };
}

function depthwise(
  { node, kernels, layout, output }: StepContext,
  x: Slot,
  w: Tensor,
  { batch, group, outputs }: Convolution,
  plane: Plane,
  post: number,
): Step {
  const { height, width, outHeight, outWidth, kernel, strides, begin } = plane;
  const { tall, wide, taps, channelBytes, stepY } = paddedLayout(plane, 1);
  const size = kernel[0] * kernel[1];
  const values = numbersOf(w);
  const weights = new Int16Array(group * outputs * taps.length);
  for (let channel = 0; channel < group * outputs; channel++) {
    for (let tap = 0; tap < size; tap++) weights[channel * taps.length + tap] = values[channel * size + tap];
  }
  const weightsAddress = layout.constant(weights);
  const tapsAddress = layout.constant(taps);
  const zero = intAttr(node, "x_zero", 0);
  const parts = partsOf(x.dtype);
  const pixels = outHeight * outWidth;
  const accBytes = (pixels + 8) * 4;
  const second = parts.length > 1;
  const room = layout.scratch(channelBytes, second ? channelBytes : 0, accBytes, second ? accBytes : 0);
  return () => {
    const [padded, padded2, acc, acc2] = room.map((offset) => offset + layout.scratchAddress);
    for (let image = 0; image < batch; image++) {
      const source = x.address + image * group * height * width * x.bytes;
      const target = output.address + image * group * outputs * pixels * output.bytes;
      kernels.depthwise(
        ...[source, x.bytes, group, outputs, height, width, begin[0], begin[1], tall, wide, strides[1]],
        ...[parts[0], parts[1] ?? -1, zero, padded, padded2, tapsAddress, weightsAddress, taps.length / 2],
        ...[outHeight, stepY, outWidth, acc, acc2, post, target],
      );
    }
  };
}
