// Operators on single codes: the accumulators of a chunk, then the post stage.
import { interpolate, Post, postRow } from "./post";

const CHUNK = 1024;
const ACC = memory.data(4 * CHUNK + 32, 16);

@inline
function code(at: usize, bytes: i32): i32 {
  return bytes == 1 ? <i32>load<i8>(at) : <i32>load<i16>(at);
}

@inline
function codes8(at: usize, bytes: i32, step: i32): v128 {
  if (!step) return i16x8.splat(<i16>code(at, bytes));
  return bytes == 1 ? v128.load8x8_s(at) : v128.load(at);
}

/**
 * n results of kind 0: (a − aZero)·aFactor + (b − bZero)·bFactor, 1: (a − aZero)·(b − bZero), 2: a − aZero. Steps are in elements,
 * 0 or 1. Reads up to 14 bytes beyond the operands.
 */
export function combine(
  kind: i32, a: usize, aStep: i32, aBytes: i32, aZero: i32, aFactor: i32,
  b: usize, bStep: i32, bBytes: i32, bZero: i32, bFactor: i32, n: i32, post: usize, out: usize,
): void {
  const p = changetype<Post>(post);
  const az = i32x4.splat(aZero);
  const bz = i32x4.splat(bZero);
  const af = i32x4.splat(aFactor);
  const bf = i32x4.splat(bFactor);
  for (let first = 0; first < n; first += CHUNK) {
    const count = min(CHUNK, n - first);
    for (let i = 0; i < count; i += 8) {
      const x = codes8(a + <usize>((first + i) * aStep * aBytes), aBytes, aStep);
      let x0 = i32x4.sub(i32x4.extend_low_i16x8_s(x), az);
      let x1 = i32x4.sub(i32x4.extend_high_i16x8_s(x), az);
      if (kind != 2) {
        const y = codes8(b + <usize>((first + i) * bStep * bBytes), bBytes, bStep);
        const y0 = i32x4.sub(i32x4.extend_low_i16x8_s(y), bz);
        const y1 = i32x4.sub(i32x4.extend_high_i16x8_s(y), bz);
        if (kind == 0) {
          x0 = i32x4.add(i32x4.mul(x0, af), i32x4.mul(y0, bf));
          x1 = i32x4.add(i32x4.mul(x1, af), i32x4.mul(y1, bf));
        } else {
          x0 = i32x4.mul(x0, y0);
          x1 = i32x4.mul(x1, y1);
        }
      }
      v128.store(ACC + (<usize>i << 2), x0);
      v128.store(ACC + (<usize>i << 2), x1, 16);
    }
    postRow(p, 0, false, ACC, count, out + <usize>(first * p.bytes));
  }
}

/** The larger (or smaller) of two codes; steps as in `combine`. */
export function extreme(
  larger: bool, a: usize, aStep: i32, b: usize, bStep: i32, bytes: i32, n: i32, out: usize,
): void {
  for (let i = 0; i < n; i++) {
    const x = code(a + <usize>(i * aStep * bytes), bytes);
    const y = code(b + <usize>(i * bStep * bytes), bytes);
    const z = larger ? max(x, y) : min(x, y);
    if (bytes == 1) store<i8>(out + <usize>i, <i8>z);
    else store<i16>(out + (<usize>i << 1), <i16>z);
  }
}

/** int8 codes through a table of 256 codes of 1 or 2 bytes. */
export function lookUp(x: usize, table: usize, bytes: i32, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) {
    const entry = <usize>(<i32>load<i8>(x + <usize>i) + 128);
    if (bytes == 1) store<i8>(out + <usize>i, load<i8>(table + entry));
    else store<i16>(out + (<usize>i << 1), load<i16>(table + (entry << 1)));
  }
}

/** int16 codes through an interpolated table. */
export function lookUpWide(x: usize, table: usize, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 1;
    store<i16>(out + at, <i16>interpolate(table, <i32>load<i16>(x + at)));
  }
}

/** n codes of `bytes` bytes from byte offsets (int32): every operator that only moves codes. */
export function move(offsets: usize, bytes: i32, n: i32, out: usize): void {
  const end = offsets + (<usize>n << 2);
  for (; offsets < end; offsets += 4) {
    if (bytes == 1) store<u8>(out, load<u8>(load<u32>(offsets)));
    else if (bytes == 2) store<u16>(out, load<u16>(load<u32>(offsets)));
    else store<u32>(out, load<u32>(load<u32>(offsets)));
    out += <usize>bytes;
  }
}

/** `runs` copies of one length: source offsets (int32) to consecutive places. */
export function moveRuns(offsets: usize, runs: i32, length: usize, out: usize): void {
  for (let run = 0; run < runs; run++) {
    memory.copy(out, load<u32>(offsets + (<usize>run << 2)), length);
    out += length;
  }
}
