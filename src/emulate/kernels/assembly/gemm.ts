// C = A·B of int16 operands in int32. Two depths share one 32-bit word, so that i32x4.dot_i16x8_s does 8 products at once:
// A is packed by blocks of 4 rows (the last M mod 4 rows one by one) as [pair][row][2], B by panels of 8 columns as
// [pair][column][2]. The sum wraps modulo 2^32, which is harmless: the whole sum fits.
import { Post, postRows } from "./post";

function block4(a: usize, b: usize, pairs: i32, c: usize, stride: usize): void {
  let c00 = i32x4.splat(0);
  let c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  const end = a + (<usize>pairs << 4);
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = i32x4.add(c00, i32x4.dot_i16x8_s(a0, b0));
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(a0, b1));
    const a1 = v128.load32_splat(a, 4);
    c10 = i32x4.add(c10, i32x4.dot_i16x8_s(a1, b0));
    c11 = i32x4.add(c11, i32x4.dot_i16x8_s(a1, b1));
    const a2 = v128.load32_splat(a, 8);
    c20 = i32x4.add(c20, i32x4.dot_i16x8_s(a2, b0));
    c21 = i32x4.add(c21, i32x4.dot_i16x8_s(a2, b1));
    const a3 = v128.load32_splat(a, 12);
    c30 = i32x4.add(c30, i32x4.dot_i16x8_s(a3, b0));
    c31 = i32x4.add(c31, i32x4.dot_i16x8_s(a3, b1));
    a += 16;
    b += 32;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += stride;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += stride;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += stride;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

function block1(a: usize, b: usize, pairs: i32, c: usize): void {
  let c0 = i32x4.splat(0);
  let c1 = c0;
  const end = a + (<usize>pairs << 2);
  while (a < end) {
    const a0 = v128.load32_splat(a);
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(a0, v128.load(b)));
    c1 = i32x4.add(c1, i32x4.dot_i16x8_s(a0, v128.load(b, 16)));
    a += 4;
    b += 32;
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
}

/**
 * `count` (4 or 1) rows of A against a tile of B: `rows` × `panels` panels, of which `valid` columns a row are wanted. What a
 * row's last panel has too much is overwritten by the next row, so that the accumulators lie without gaps.
 */
function strip(count: i32, a: usize, b: usize, pairs: i32, rows: i32, panels: i32, valid: i32, c: usize, stride: usize): void {
  for (let row = 0; row < rows; row++) {
    let at = c + (<usize>(row * valid) << 2);
    for (let panel = 0; panel < panels; panel++) {
      if (count == 4) block4(a, b, pairs, at, stride);
      else block1(a, b, pairs, at);
      b += <usize>pairs << 5;
      at += 32;
    }
  }
}

/** Unnormalised softmax weights: v = ⌊(acc·2^16 + (R >> 1)) / R⌋. */
function divideRow(acc: usize, n: i32, total: i32): void {
  const r = <i64>max(total, 1);
  for (let i = 0; i < n; i++) {
    const at = acc + (<usize>i << 2);
    const v = (<i64>load<i32>(at) << 16) + (r >> 1);
    let q = v / r;
    if (v % r < 0) q -= 1;
    store<i32>(at, <i32>q);
  }
}

/**
 * Product and post stage of all rows of A with one tile of B. With a2/b2 there are two 8-bit passes: the first the upper bytes.
 * `across` tells that channels lie along the columns (MatMul), else along the rows (Conv). `totals`: int32 row sums to divide
 * by, or 0. acc, acc2: room for 4 rows of rows·valid + 8 int32.
 */
export function gemmTile(
  a: usize, a2: usize, b: usize, b2: usize, pairs: i32, outputs: i32,
  rows: i32, panels: i32, valid: i32, acc: usize, acc2: usize,
  post: usize, channel: i32, across: bool, out: usize, outStride: usize, totals: usize,
): void {
  const p = changetype<Post>(post);
  const count = rows * valid;
  const stride = <usize>(count + 8) << 2;
  for (let o = 0; o < outputs; ) {
    const size = outputs - o >= 4 ? 4 : 1;
    const offset = <usize>(o * pairs) << 2;
    strip(size, a + offset, b, pairs, rows, panels, valid, acc, stride);
    if (acc2) strip(size, a2 + offset, b2, pairs, rows, panels, valid, acc2, stride);
    for (let r = 0; r < size; r++) {
      const c = across ? channel : channel + o + r;
      const from = <usize>r * stride;
      const to = out + <usize>(o + r) * outStride;
      if (totals) divideRow(acc + from, count, load<i32>(totals + (<usize>(o + r) << 2)));
      postRows(p, c, across, acc + from, acc2 ? acc2 + from : 0, count, to);
    }
    o += size;
  }
}

/** The bare product with one tile of B; row o of the result begins at acc + o·(rows·valid + 8)·4. */
export function gemmRaw(
  a: usize, b: usize, pairs: i32, outputs: i32, rows: i32, panels: i32, valid: i32, acc: usize,
): void {
  const stride = <usize>(rows * valid + 8) << 2;
  for (let o = 0; o < outputs; ) {
    const size = outputs - o >= 4 ? 4 : 1;
    strip(size, a + (<usize>(o * pairs) << 2), b, pairs, rows, panels, valid, acc + <usize>o * stride, stride);
    o += size;
  }
}
