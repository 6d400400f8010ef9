// Codes to int16 operands without zero point, in the order that the product kernels read. `part` names what is taken of
// a code: 0 int8 − zero, 1 the upper byte of an int16 (signed), 2 its lower byte (unsigned), 3 uint8 − zero, 4 int16 whole.

@inline
export function codeBytes(part: i32): i32 {
  return part == 0 || part == 3 ? 1 : 2;
}

@inline
export function part8(at: usize, part: i32, zero: v128): v128 {
  if (part == 0) return i16x8.sub(v128.load8x8_s(at), zero);
  if (part == 3) return i16x8.sub(v128.load8x8_u(at), zero);
  const whole = v128.load(at);
  if (part == 1) return i16x8.shr_s(whole, 8);
  if (part == 2) return v128.and(whole, i16x8.splat(255));
  return whole;
}

@inline
export function part1(at: usize, part: i32, zero: i32): i32 {
  if (part == 0) return <i32>load<i8>(at) - zero;
  if (part == 3) return <i32>load<u8>(at) - zero;
  const whole = <i32>load<i16>(at);
  if (part == 1) return whole >> 8;
  if (part == 2) return whole & 255;
  return whole;
}

@inline
function storePairs(to: usize, a: v128, b: v128): void {
  v128.store(to, i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23));
  v128.store(to, i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31), 16);
}

/** B from a row-major matrix of codes [depth][…], rows `stride` bytes apart: `panels` panels of 8 columns. */
export function packRight(src: usize, stride: usize, depth: i32, panels: i32, part: i32, zero: i32, to: usize): void {
  const zeros = i16x8.splat(<i16>zero);
  const none = i16x8.splat(0);
  const bytes = <usize>codeBytes(part) << 3;
  for (let panel = 0; panel < panels; panel++) {
    let row = src + <usize>panel * bytes;
    for (let k = 0; k < depth; k += 2) {
      const a = part8(row, part, zeros);
      const b = k + 1 < depth ? part8(row + stride, part, zeros) : none;
      storePairs(to, a, b);
      row += stride << 1;
      to += 32;
    }
  }
}

/** A from a row-major matrix of codes [rows][depth], elements `step` bytes apart in a row and rows `stride` apart. */
export function packLeft(
  src: usize, stride: usize, step: usize, rows: i32, depth: i32, part: i32, zero: i32, to: usize,
): void {
  const pairs = (depth + 1) >> 1;
  for (let row = 0; row < rows; ) {
    const size = rows - row >= 4 ? 4 : 1;
    for (let r = 0; r < size; r++) {
      let at = src + <usize>(row + r) * stride;
      let cell = to + (<usize>(row * pairs + r) << 2);
      for (let k = 0; k < depth; k++) {
        store<i16>(cell + (<usize>(k & 1) << 1), <i16>part1(at, part, zero));
        at += step;
        if (k & 1) cell += <usize>size << 2;
      }
      if (depth & 1) store<i16>(cell + 2, 0);
    }
    row += size;
  }
}

/** Sums of the rows of a uint8 matrix, int32. */
export function sumRows(src: usize, stride: usize, step: usize, rows: i32, depth: i32, to: usize): void {
  for (let row = 0; row < rows; row++) {
    let total = 0;
    let at = src + <usize>row * stride;
    for (let k = 0; k < depth; k++) {
      total += <i32>load<u8>(at);
      at += step;
    }
    store<i32>(to + (<usize>row << 2), total);
  }
}

/**
 * A padded copy of `channels` planes [height][width] as int16 without zero point, columns sorted by their remainder modulo
 * `strideX` (a phase): to[channel][phase][tall][wide]. A window's tap then reads consecutive elements for consecutive outputs.
 */
export function padPlanes(
  src: usize, channels: i32, height: i32, width: i32, top: i32, left: i32, tall: i32, wide: i32,
  strideX: i32, part: i32, zero: i32, to: usize,
): void {
  const bytes = codeBytes(part);
  const zeros = i16x8.splat(<i16>zero);
  const phaseBytes = <usize>(tall * wide) << 1;
  memory.fill(to, 0, <usize>(channels * strideX) * phaseBytes);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      const row = y + top;
      if (row < 0 || row >= tall) {
        src += <usize>(width * bytes);
        continue;
      }
      const target = to + (<usize>(row * wide) << 1);
      if (strideX == 1) copyRow(src, width, left, wide, part, zeros, zero, target);
      else {
        for (let x = 0; x < width; x++) {
          const column = x + left;
          const q = column / strideX;
          if (column < 0 || q >= wide) continue;
          const value = part1(src + <usize>(x * bytes), part, zero);
          store<i16>(target + <usize>(column - q * strideX) * phaseBytes + (<usize>q << 1), <i16>value);
        }
      }
      src += <usize>(width * bytes);
    }
    to += <usize>strideX * phaseBytes;
  }
}

function copyRow(src: usize, width: i32, left: i32, wide: i32, part: i32, zeros: v128, zero: i32, to: usize): void {
  const bytes = codeBytes(part);
  let x = max(0, -left);
  const end = min(width, wide - left);
  for (; x + 8 <= end; x += 8) v128.store(to + (<usize>(x + left) << 1), part8(src + <usize>(x * bytes), part, zeros));
  for (; x < end; x++) store<i16>(to + (<usize>(x + left) << 1), <i16>part1(src + <usize>(x * bytes), part, zero));
}

/**
 * B of a convolution from padded planes: for `rows` output rows, `stepY` bytes apart, and `panels` panels of 8 outputs in each.
 * `taps`: int32 byte offset of every depth (channel, then kernel position), an even number of them.
 */
export function packWindows(planes: usize, taps: usize, pairs: i32, rows: i32, stepY: usize, panels: i32, to: usize): void {
  const end = taps + (<usize>pairs << 3);
  for (let row = 0; row < rows; row++) {
    for (let panel = 0; panel < panels; panel++) {
      const base = planes + <usize>row * stepY + (<usize>panel << 4);
      for (let tap = taps; tap < end; tap += 8) {
        storePairs(to, v128.load(base + load<u32>(tap)), v128.load(base + load<u32>(tap, 4)));
        to += 32;
      }
    }
  }
}

/**
 * Adds the products of a transposed convolution to their places. `products`: one row of width·height int32 for each kernel
 * position, `stride` bytes apart; `acc`: the output plane, outHeight·outWidth int32.
 */
export function spreadProducts(
  products: usize, stride: usize, height: i32, width: i32, kernelY: i32, kernelX: i32, strideY: i32, strideX: i32,
  dilationY: i32, dilationX: i32, top: i32, left: i32, outHeight: i32, outWidth: i32, acc: usize,
): void {
  for (let ky = 0; ky < kernelY; ky++) {
    for (let kx = 0; kx < kernelX; kx++) {
      for (let y = 0; y < height; y++) {
        const row = y * strideY + ky * dilationY - top;
        if (row < 0 || row >= outHeight) continue;
        let column = kx * dilationX - left;
        let from = products + (<usize>(y * width) << 2);
        for (let x = 0; x < width; x++) {
          if (column >= 0 && column < outWidth) {
            const at = acc + (<usize>(row * outWidth + column) << 2);
            store<i32>(at, load<i32>(at) + load<i32>(from));
          }
          column += strideX;
          from += 4;
        }
      }
      products += stride;
    }
  }
}
