// Depthwise convolutions, tap by tap: two taps share a word, as in gemm.ts.
import { padPlanes } from "./pack";
import { Post, postRows } from "./post";

/**
 * One channel of a depthwise convolution from its padded plane: rows·valid int32 accumulators without gaps (and up to 28 bytes
 * beyond). `weights`: int16 in pairs, as many as taps.
 */
function channelSums(
  plane: usize, taps: usize, weights: usize, pairs: i32, rows: i32, stepY: usize, valid: i32, acc: usize,
): void {
  const end = taps + (<usize>pairs << 3);
  for (let row = 0; row < rows; row++) {
    const line = plane + <usize>row * stepY;
    const to = acc + (<usize>(row * valid) << 2);
    for (let x = 0; x < valid; x += 8) {
      const base = line + (<usize>x << 1);
      let c0 = i32x4.splat(0);
      let c1 = c0;
      let weight = weights;
      for (let tap = taps; tap < end; tap += 8) {
        const a = v128.load(base + load<u32>(tap));
        const b = v128.load(base + load<u32>(tap, 4));
        const w = v128.load32_splat(weight);
        const low = i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
        const high = i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
        c0 = i32x4.add(c0, i32x4.dot_i16x8_s(low, w));
        c1 = i32x4.add(c1, i32x4.dot_i16x8_s(high, w));
        weight += 4;
      }
      v128.store(to + (<usize>x << 2), c0);
      v128.store(to + (<usize>x << 2), c1, 16);
    }
  }
}

/**
 * All channels of one image: `channels` planes, `outputs` results from each. part2 ≥ 0: a second pass over the lower bytes, with
 * places of its own (padded2, acc2). Weights: 2·pairs int16 for each result.
 */
export function depthwise(
  src: usize, srcBytes: i32, channels: i32, outputs: i32, height: i32, width: i32, top: i32, left: i32, tall: i32, wide: i32,
  strideX: i32, part: i32, part2: i32, zero: i32, padded: usize, padded2: usize, taps: usize, weights: usize, pairs: i32,
  rows: i32, stepY: usize, valid: i32, acc: usize, acc2: usize, post: usize, out: usize,
): void {
  const p = changetype<Post>(post);
  const count = rows * valid;
  for (let channel = 0; channel < channels; channel++) {
    padPlanes(src, 1, height, width, top, left, tall, wide, strideX, part, zero, padded);
    if (part2 >= 0) padPlanes(src, 1, height, width, top, left, tall, wide, strideX, part2, zero, padded2);
    for (let each = 0; each < outputs; each++) {
      const c = channel * outputs + each;
      channelSums(padded, taps, weights, pairs, rows, stepY, valid, acc);
      if (part2 >= 0) channelSums(padded2, taps, weights, pairs, rows, stepY, valid, acc2);
      postRows(p, c, false, acc, part2 >= 0 ? acc2 : 0, count, out);
      weights += <usize>pairs << 2;
      out += <usize>(count * p.bytes);
    }
    src += <usize>(height * width * srcBytes);
  }
}
