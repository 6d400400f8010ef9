import type { ConvCommand, DeconvCommand } from "../../schedule/program.ts";
import { gatherNumbers, type Memories, type Place, sizeOf } from "./memory.ts";
import { CONV_AXES, DECONV_AXES, weightsOf } from "./packed.ts";
import { multiply, splitBytes } from "./product.ts";
import { PostStage } from "./requantize.ts";

/** Patches of at most this many numbers are unrolled at once. */
const PATCH_NUMBERS = 1 << 17;

function biasOf(operand: ConvCommand["bias"], channels: number, memories: Memories): Float64Array {
  if (operand === undefined) return new Float64Array(channels);
  const values = gatherNumbers(memories.numbers(operand));
  return values.length === channels ? values : new Float64Array(channels).fill(values[0]);
}

/** Executes a convolution: products of unrolled patches, or sums along rows where a group has few output channels. */
export function runConv(command: ConvCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const w = weightsOf(command.w, CONV_AXES, command.multipliers, memories);
  const post = new PostStage(command.post, memories);
  const bias = biasOf(command.bias, w.shape[0], memories);
  const weights = Int16Array.from(gatherNumbers(w));
  const wide = command.x.dtype === "int16";
  const outputsPerGroup = w.shape[0] / command.groups;
  if (outputsPerGroup < 4 && !wide) alongRows(command, x, weights, bias, y, post);
  else unrolled(command, x, weights, bias, y, post, wide);
}

/** The first and one past the last output whose tap lies inside: 0 ≤ o·stride + tap − pad < length. */
function inside(length: number, outputs: number, stride: number, tap: number, pad: number): [number, number] {
  const low = Math.max(0, Math.ceil((pad - tap) / stride));
  const high = Math.min(outputs, Math.floor((length - 1 + pad - tap) / stride) + 1);
  return [low, Math.max(low, high)];
}

/** A plane of sums at a time: every tap adds a shifted row. */
function alongRows(
  command: ConvCommand,
  x: Place,
  weights: Int16Array,
  bias: Float64Array,
  y: Place,
  post: PostStage,
): void {
  const { strides, pads, dilations, groups, xZero } = command;
  const [batch, , height, width] = x.shape;
  const [, channels, outHeight, outWidth] = y.shape;
  const [, depth, kernelHeight, kernelWidth] = command.w.shape;
  const perGroup = channels / groups;
  const sums = new Int32Array(outHeight * outWidth);
  const data = x.data;
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < channels; channel++) {
      sums.fill(bias[channel]);
      const firstInput = Math.floor(channel / perGroup) * depth;
      for (let d = 0; d < depth; d++) {
        const plane = x.offset + n * x.strides[0] + (firstInput + d) * x.strides[1];
        for (let ky = 0; ky < kernelHeight; ky++) {
          const [top, bottom] = inside(height, outHeight, strides[0], ky * dilations[0], pads[0]);
          for (let kx = 0; kx < kernelWidth; kx++) {
            const weight = weights[((channel * depth + d) * kernelHeight + ky) * kernelWidth + kx];
            const [left, right] = inside(width, outWidth, strides[1], kx * dilations[1], pads[1]);
            for (let oy = top; oy < bottom; oy++) {
              const row = plane + (oy * strides[0] + ky * dilations[0] - pads[0]) * x.strides[2];
              const step = strides[1] * x.strides[3];
              let from = row + (left * strides[1] + kx * dilations[1] - pads[1]) * x.strides[3];
              const base = oy * outWidth;
              for (let ox = left; ox < right; ox++, from += step) {
                sums[base + ox] = (sums[base + ox] + Math.imul(data[from] - xZero, weight)) | 0;
              }
            }
          }
        }
      }
      storePlane(post, sums, 0, channel, y, n, 0, outHeight * outWidth);
    }
  }
}

/** Pixels [first, first + count) of one image and channel, row by row. */
function storePlane(
  post: PostStage,
  sums: Int32Array | Float64Array,
  at: number,
  channel: number,
  y: Place,
  image: number,
  first: number,
  count: number,
): void {
  const width = y.shape[3];
  const base = y.offset + image * y.strides[0] + channel * y.strides[1];
  if (y.strides[2] === width * y.strides[3]) {
    post.storeRow(sums, at, count, channel, y.data, base + first * y.strides[3], y.strides[3]);
    return;
  }
  for (let done = 0; done < count; ) {
    const row = Math.floor((first + done) / width);
    const column = (first + done) % width;
    const length = Math.min(count - done, width - column);
    const to = base + row * y.strides[2] + column * y.strides[3];
    post.storeRow(sums, at + done, length, channel, y.data, to, y.strides[3]);
    done += length;
  }
}

function unrolled(
  command: ConvCommand,
  x: Place,
  weights: Int16Array,
  bias: Float64Array,
  y: Place,
  post: PostStage,
  wide: boolean,
): void {
  const { groups } = command;
  const [batch, channels, outHeight, outWidth] = y.shape;
  const depth = command.w.shape[1] * command.w.shape[2] * command.w.shape[3];
  const perGroup = channels / groups;
  const pixels = outHeight * outWidth;
  const chunk = Math.max(1, Math.min(pixels, Math.floor(PATCH_NUMBERS / depth)));
  const patches = wide ? new Int32Array(chunk * depth) : new Int16Array(chunk * depth);
  const [high, low] = wide ? [new Int16Array(chunk * depth), new Int16Array(chunk * depth)] : [undefined, undefined];
  const sums = new Int32Array(chunk * perGroup);
  const lowSums = new Int32Array(wide ? chunk * perGroup : 0);
  const values = new Float64Array(chunk * perGroup);
  for (let n = 0; n < batch; n++) {
    for (let group = 0; group < groups; group++) {
      const own = weights.subarray(group * perGroup * depth, (group + 1) * perGroup * depth);
      for (let first = 0; first < pixels; first += chunk) {
        const count = Math.min(chunk, pixels - first);
        unrollPatches(command, x, n, group, first, count, patches);
        if (wide && high && low) {
          // Two passes on 8-bit multipliers, each exact in 32 bits, combined in 48.
          splitBytes(patches as Int32Array, count * depth, high, low);
          multiply(high, count, own, perGroup, depth, sums);
          multiply(low, count, own, perGroup, depth, lowSums);
          for (let i = 0; i < count * perGroup; i++) values[i] = 256 * sums[i] + lowSums[i];
        } else {
          multiply(patches as Int16Array, count, own, perGroup, depth, sums);
          for (let i = 0; i < count * perGroup; i++) values[i] = sums[i];
        }
        for (let output = 0; output < perGroup; output++) {
          const channel = group * perGroup + output;
          const at = output * count;
          for (let i = at; i < at + count; i++) values[i] += bias[channel];
          storePlane(post, values, at, channel, y, n, first, count);
        }
      }
    }
  }
}

/** patches[p·depth + (channel, ky, kx)] = x − xZero, 0 in the padding. */
function unrollPatches(
  command: ConvCommand,
  x: Place,
  image: number,
  group: number,
  first: number,
  count: number,
  patches: Int16Array | Int32Array,
): void {
  const { strides, pads, dilations, xZero } = command;
  const [, , height, width] = x.shape;
  const [, inputs, kernelHeight, kernelWidth] = command.w.shape;
  const outWidth = command.y.shape[3];
  const depth = inputs * kernelHeight * kernelWidth;
  const data = x.data;
  const base = x.offset + image * x.strides[0] + group * inputs * x.strides[1];
  const [planeStep, rowStep, cellStep] = [x.strides[1], x.strides[2], x.strides[3]];
  for (let p = 0; p < count; p++) {
    const oy = Math.floor((first + p) / outWidth);
    const ox = (first + p) % outWidth;
    const top = oy * strides[0] - pads[0];
    const left = ox * strides[1] - pads[1];
    for (let ky = 0; ky < kernelHeight; ky++) {
      const row = top + ky * dilations[0];
      for (let kx = 0; kx < kernelWidth; kx++) {
        const column = left + kx * dilations[1];
        let to = p * depth + ky * kernelWidth + kx;
        const step = kernelHeight * kernelWidth;
        if (row < 0 || row >= height || column < 0 || column >= width) {
          for (let d = 0; d < inputs; d++, to += step) patches[to] = 0;
          continue;
        }
        let from = base + row * rowStep + column * cellStep;
        for (let d = 0; d < inputs; d++, to += step, from += planeStep) patches[to] = data[from] - xZero;
      }
    }
  }
}

/** Executes a transposed convolution: every input cell adds its taps to the outputs that it reaches. */
export function runDeconv(command: DeconvCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const w = weightsOf(command.w, DECONV_AXES, command.multipliers, memories);
  const { strides, pads, dilations, groups, xZero } = command;
  const [batch, inputs, height, width] = x.shape;
  const [, channels, outHeight, outWidth] = y.shape;
  const [, perGroup, kernelHeight, kernelWidth] = w.shape;
  const weights = Int16Array.from(gatherNumbers(w));
  const bias = biasOf(command.bias, channels, memories);
  const post = new PostStage(command.post, memories);
  const depth = inputs / groups;
  const sums = new Float64Array(sizeOf([outHeight, outWidth]));
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < channels; channel++) {
      sums.fill(bias[channel]);
      const group = Math.floor(channel / perGroup);
      for (let d = group * depth; d < (group + 1) * depth; d++) {
        const plane = x.offset + n * x.strides[0] + d * x.strides[1];
        const kernel = (d * perGroup + (channel % perGroup)) * kernelHeight * kernelWidth;
        for (let iy = 0; iy < height; iy++) {
          for (let ky = 0; ky < kernelHeight; ky++) {
            const oy = iy * strides[0] + ky * dilations[0] - pads[0];
            if (oy < 0 || oy >= outHeight) continue;
            for (let kx = 0; kx < kernelWidth; kx++) {
              const weight = weights[kernel + ky * kernelWidth + kx];
              let ox = kx * dilations[1] - pads[1];
              let from = plane + iy * x.strides[2];
              for (let ix = 0; ix < width; ix++, ox += strides[1], from += x.strides[3]) {
                if (ox >= 0 && ox < outWidth) sums[oy * outWidth + ox] += (x.data[from] - xZero) * weight;
              }
            }
          }
        }
      }
      storePlane(post, sums, 0, channel, y, n, 0, outHeight * outWidth);
    }
  }
}
