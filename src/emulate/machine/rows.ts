/** Windows and rows: pooling, reductions, softmax, normalisation. */
import type { NormCommand, PoolCommand, ReduceCommand, SoftmaxCommand } from "../../schedule/program.ts";
import { forEachRow, gatherNumbers, type Memories, type Place, sizeOf } from "./memory.ts";
import { PostStage } from "./requantize.ts";

/** Taps t of a window that lie within [low, high): start + t·dilation. */
function taps(start: number, kernel: number, dilation: number, low: number, high: number): [number, number] {
  const first = Math.min(kernel, Math.max(0, Math.ceil((low - start) / dilation)));
  const last = Math.max(first, Math.min(kernel, Math.floor((high - 1 - start) / dilation) + 1));
  return [first, last];
}

export function runPool(command: PoolCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const { kernel, strides, pads, dilations, xZero, countIncludePad } = command;
  const post = command.post && new PostStage(command.post, memories);
  const [batch, channels, outHeight, outWidth] = y.shape;
  const [height, width] = [x.shape[2], x.shape[3]];
  const least = command.x.dtype === "int8" ? -128 : -32_768;
  for (let oy = 0; oy < outHeight; oy++) {
    const top = oy * strides[0] - pads[0];
    const [y0, y1] = taps(top, kernel[0], dilations[0], 0, height);
    for (let ox = 0; ox < outWidth; ox++) {
      const left = ox * strides[1] - pads[1];
      const [x0, x1] = taps(left, kernel[1], dilations[1], 0, width);
      const counted = countIncludePad
        ? padded(top, kernel[0], dilations[0], height + pads[2]) *
          padded(left, kernel[1], dilations[1], width + pads[3])
        : (y1 - y0) * (x1 - x0);
      for (let n = 0; n < batch; n++) {
        for (let c = 0; c < channels; c++) {
          const base = x.offset + n * x.strides[0] + c * x.strides[1];
          let sum = 0;
          let most = least;
          for (let ky = y0; ky < y1; ky++) {
            const row = base + (top + ky * dilations[0]) * x.strides[2];
            for (let kx = x0; kx < x1; kx++) {
              const code = x.data[row + (left + kx * dilations[1]) * x.strides[3]];
              sum += code - xZero;
              if (code > most) most = code;
            }
          }
          const to = y.offset + n * y.strides[0] + c * y.strides[1] + oy * y.strides[2] + ox * y.strides[3];
          y.data[to] = post ? post.apply(sum, Math.max(counted, 1) - 1) : most;
        }
      }
    }
  }
}

/** Taps that lie inside the padded length; what ceil_mode adds beyond it never counts. */
function padded(start: number, kernel: number, dilation: number, end: number): number {
  let count = 0;
  for (let tap = 0; tap < kernel; tap++) if (start + tap * dilation < end) count++;
  return count;
}

export function runReduce(command: ReduceCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const kept = y.shape.length;
  const post = command.post && new PostStage(command.post, memories);
  const inner: Place = { data: x.data, offset: 0, shape: x.shape.slice(kept), strides: x.strides.slice(kept) };
  forEachRow(y.shape, [x.strides.slice(0, kept), y.strides], (count, [xAt, yAt], [xStep, yStep]) => {
    for (let i = 0; i < count; i++) {
      const folded = fold(inner, x.offset + xAt + i * xStep, command);
      y.data[y.offset + yAt + i * yStep] = post ? post.apply(folded, 0) : folded;
    }
  });
}

function fold(inner: Place, base: number, { operation, xZero }: ReduceCommand): number {
  if (operation === "l2") return length(inner, base, xZero);
  if (operation === "margin" || operation === "ctc-margin") return margin(inner, base, operation === "ctc-margin");
  let sum = 0;
  let most = Number.NEGATIVE_INFINITY;
  let least = Number.POSITIVE_INFINITY;
  forEachRow(inner.shape, [inner.strides], (count, [offset], [step]) => {
    for (let i = 0, from = base + offset; i < count; i++, from += step) {
      const code = inner.data[from];
      sum += code - xZero;
      if (code > most) most = code;
      if (code < least) least = code;
    }
  });
  return operation === "sum" ? sum : operation === "max" ? most : least;
}

/** The two largest in one pass; with `ctc`, 32768 less where the first element is not the largest. */
function margin(inner: Place, base: number, ctc: boolean): number {
  let top = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  forEachRow(inner.shape, [inner.strides], (count, [offset], [step]) => {
    for (let i = 0, from = base + offset; i < count; i++, from += step) {
      const code = inner.data[from];
      second = Math.max(second, Math.min(top, code));
      top = Math.max(top, code);
    }
  });
  return Math.min(32_767, top - second) - (ctc && inner.data[base] < top ? 32_768 : 0);
}

/** ⌊1024·√Σu²⌋: the sum is below 2^32, so that a double holds it with 20 more bits; the root is then corrected, not trusted. */
function length(inner: Place, base: number, zero: number): number {
  let squares = 0;
  forEachRow(inner.shape, [inner.strides], (count, [offset], [step]) => {
    for (let i = 0, from = base + offset; i < count; i++, from += step) {
      const u = inner.data[from] - zero;
      squares += u * u;
    }
  });
  return wholeRoot(squares * 2 ** 20);
}

/** The largest integer whose square is at most `value`; beyond 2^53, where only a damaged program leads, some number near it. */
function wholeRoot(value: number): number {
  let root = Math.floor(Math.sqrt(value));
  if (value >= 2 ** 53) return root;
  while (root * root > value) root--;
  while ((root + 1) * (root + 1) <= value) root++;
  return root;
}

/** e = exp(x − max) in units of 2^−15, from the sealed table. */
function power(table: Float64Array, distance: number, wide: boolean): number {
  if (!wide) return table[distance];
  return Math.floor((table[distance >> 8] * table[256 + (distance & 255)] + 2 ** 14) / 2 ** 15);
}

export function runSoftmax(command: SoftmaxCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const table = gatherNumbers(memories.numbers(command.table));
  const wide = command.x.dtype === "int16";
  const last = x.shape.length - 1;
  const [size, step, yInner] = [x.shape[last], x.strides[last], y.strides[last]];
  const powers = new Float64Array(size);
  const outer = [x.strides.slice(0, last), y.strides.slice(0, last)];
  forEachRow(y.shape.slice(0, last), outer, (count, [xAt, yAt], [xStep, yStep]) => {
    for (let i = 0; i < count; i++) {
      const from = x.offset + xAt + i * xStep;
      const to = y.offset + yAt + i * yStep;
      let most = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < size; k++) most = Math.max(most, x.data[from + k * step]);
      let total = 0;
      for (let k = 0; k < size; k++) total += powers[k] = power(table, most - x.data[from + k * step], wide);
      for (let k = 0; k < size; k++) {
        y.data[to + k * yInner] = share(powers[k], total, command.normalised, command.y.dtype);
      }
    }
  });
}

function share(e: number, total: number, normalised: boolean, dtype: string): number {
  if (!normalised) return (255 * e + 2 ** 14) >> 15;
  const half = Math.floor(total / 2);
  if (dtype === "int16") return Math.min(32_767, Math.floor((e * 2 ** 15 + half) / total));
  return Math.min(255, Math.floor((e * 2 ** 8 + half) / total)) - 128;
}

export function runNorm(command: NormCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const gamma = gatherNumbers(memories.numbers(command.gamma));
  const beta = gatherNumbers(memories.numbers(command.beta));
  const post = new PostStage(command.post, memories);
  const kept = x.shape.length - command.axes;
  const inner = x.shape.slice(kept);
  const size = sizeOf(inner);
  const row = new Float64Array(size);
  const outer = [x.strides.slice(0, kept), y.strides.slice(0, kept)];
  forEachRow(x.shape.slice(0, kept), outer, (count, [xAt, yAt], [xStep, yStep]) => {
    for (let i = 0; i < count; i++) {
      let at = 0;
      const from = x.offset + xAt + i * xStep;
      forEachRow(inner, [x.strides.slice(kept)], (length, [offset], [step]) => {
        for (let k = 0; k < length; k++) row[at++] = x.data[from + offset + k * step] - command.xZero;
      });
      normalise(row, size, command);
      at = 0;
      const to = y.offset + yAt + i * yStep;
      forEachRow(inner, [y.strides.slice(kept)], (length, [offset], [step]) => {
        for (let k = 0; k < length; k++, at++) {
          const v = row[at] * gamma[gamma.length === 1 ? 0 : at] + beta[beta.length === 1 ? 0 : at];
          y.data[to + offset + k * step] = post.apply(v, 0);
        }
      });
    }
  });
}

/**
 * u → t = ⌊(c·2^(p+12) + r/2) / r⌋. c and V do not change when a constant is taken off every u, so the sums are taken about
 * the rounded mean: n·Σ(u − k)² then stays near V < 2^52. |c| ≤ √(n·V), so c·2^p ≤ √n·r and every product here is exact.
 */
function normalise(row: Float64Array, size: number, { center, epsilon }: NormCommand): void {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += row[i];
  const shift = center ? Math.round(sum / size) : 0;
  let rest = 0;
  let squares = 0;
  for (let i = 0; i < size; i++) {
    const u = row[i] - shift;
    rest += u;
    squares += u * u;
  }
  if (!center) rest = 0;
  let scaled = size * squares - rest * rest + epsilon;
  let scale = 2 ** 12;
  while (scaled < 2 ** 50) {
    scaled *= 4;
    scale *= 2;
  }
  const root = wholeRoot(scaled);
  const half = Math.floor(root / 2);
  for (let i = 0; i < size; i++) {
    const c = size * (row[i] - shift) - rest;
    row[i] = Math.floor((c * scale + half) / root);
  }
}
