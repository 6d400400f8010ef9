// From int32 and int64 accumulators to codes: the post stage of docs/integer-semantics.md, exact on every CPU.

/** Written by src/emulate/integer/post.ts in this order, 4 bytes a field. */
@unmanaged
export class Post {
  /** 0 tosa-single, 1 tosa-double, 2 ort-f32-rne, 3 wide. */
  mode: i32;
  /** int32[] (mode 2: float32[]). */
  multiplier: usize;
  shift: usize;
  /** Bytes from one channel's constants to the next: 4, or 0 where one serves all. */
  step: i32;
  /** int16[513], or 0. */
  table: usize;
  tableMultiplier: i32;
  tableShift: i32;
  zero: i32;
  low: i32;
  high: i32;
  /** Of a code: 1 or 2. */
  bytes: i32;
  /** int32[], or 0. */
  bias: usize;
  biasStep: i32;
  /** 1 where every shift (the table's too) is at least 31, so that results fit 32 bits. */
  fits: i32;
  /** For channels side by side, all shifts in 32…62: 2^(shift − 1) as int64[], and 2^(62 − shift) as int32[]; or 0. */
  rounding: usize;
  power: usize;
}

const SPARE = memory.data(32, 16);

// @ts-ignore: decorator
@inline
function clampI64(v: i64, low: i64, high: i64): i64 {
  return v < low ? low : v > high ? high : v;
}

// @ts-ignore: decorator
@inline
function scaleDown(v: i64, m: i64, s: i64): i64 {
  return (v * m + ((<i64>1) << (s - 1))) >> s;
}

/** One code from one accumulator (bias included), any mode. */
export function postOne(p: Post, channel: i32, v: i64): i32 {
  const at = <usize>(channel * p.step);
  let r: i64;
  if (p.mode == 2) {
    const low: f32 = p.table ? -32768 : <f32>(p.low - p.zero);
    const high: f32 = p.table ? 32767 : <f32>(p.high - p.zero);
    let product = <f32>v * load<f32>(p.multiplier + at);
    product = product < low ? low : product > high ? high : product;
    r = <i64>nearest(product);
  } else {
    const m = <i64>load<i32>(p.multiplier + at);
    const s = <i64>load<i32>(p.shift + at);
    if (p.mode == 1) {
      const nudge: i64 = s > 31 ? (v >= 0 ? 1 << 30 : -(1 << 30)) : 0;
      r = (v * m + ((<i64>1) << (s - 1)) + nudge) >> s;
    } else {
      r = scaleDown(v, m, s);
    }
  }
  if (p.table) {
    const t = interpolate(p.table, <i32>clampI64(r, -32768, 32767));
    r = scaleDown(<i64>t, <i64>p.tableMultiplier, <i64>p.tableShift);
  }
  return <i32>clampI64(r + <i64>p.zero, <i64>p.low, <i64>p.high);
}

/** The function sampled by `table` at an int16 position. */
// @ts-ignore: decorator
@inline
export function interpolate(table: usize, position: i32): i32 {
  const p = position + 32768;
  const at = table + (<usize>(p >> 7) << 1);
  const a = <i32>load<i16>(at);
  const b = <i32>load<i16>(at, 2);
  return a + (((b - a) * (p & 127) + 64) >> 7);
}

// @ts-ignore: decorator
@inline
function highWords(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** (v·m + rounding ± nudge) >> s for one s ≥ 31: the upper words of the sum (twice the sum if s is 31), then s − 32 more. */
// @ts-ignore: decorator
@inline
function scale4(v: v128, m: v128, rounding: v128, nudge: v128, twice: bool, more: i32): v128 {
  let low = i64x2.add(i64x2.extmul_low_i32x4_s(v, m), rounding);
  let high = i64x2.add(i64x2.extmul_high_i32x4_s(v, m), rounding);
  if (v128.any_true(nudge)) {
    const sign = i32x4.shr_s(v, 31);
    const lowSign = i64x2.extend_low_i32x4_s(sign);
    const highSign = i64x2.extend_high_i32x4_s(sign);
    low = i64x2.add(low, i64x2.sub(v128.xor(nudge, lowSign), lowSign));
    high = i64x2.add(high, i64x2.sub(v128.xor(nudge, highSign), highSign));
  }
  if (twice) {
    low = i64x2.add(low, low);
    high = i64x2.add(high, high);
  }
  return i32x4.shr_s(highWords(low, high), more);
}

/** Four interpolated samples; each pair of neighbours is one 32-bit load. */
// @ts-ignore: decorator
@inline
function interpolate4(table: usize, r: v128): v128 {
  const p = i32x4.add(i32x4.min_s(i32x4.max_s(r, i32x4.splat(-32768)), i32x4.splat(32767)), i32x4.splat(32768));
  const at = i32x4.shl(i32x4.shr_s(p, 7), 1);
  let pair = v128.load32_zero(table + <usize>i32x4.extract_lane(at, 0));
  pair = v128.load32_lane(table + <usize>i32x4.extract_lane(at, 1), pair, 1);
  pair = v128.load32_lane(table + <usize>i32x4.extract_lane(at, 2), pair, 2);
  pair = v128.load32_lane(table + <usize>i32x4.extract_lane(at, 3), pair, 3);
  const a = i32x4.shr_s(i32x4.shl(pair, 16), 16);
  const b = i32x4.shr_s(pair, 16);
  const fraction = v128.and(p, i32x4.splat(127));
  const step = i32x4.shr_s(i32x4.add(i32x4.mul(i32x4.sub(b, a), fraction), i32x4.splat(64)), 7);
  return i32x4.add(a, step);
}

/** Everything after the requantization for four lanes. */
// @ts-ignore: decorator
@inline
function finish4(p: Post, r: v128): v128 {
  if (p.table) {
    const t = interpolate4(p.table, r);
    const s = p.tableShift;
    const m = i32x4.splat(p.tableMultiplier);
    const rounding = i64x2.splat((<i64>1) << (s - 1));
    r = scale4(t, m, rounding, i64x2.splat(0), s == 31, max(s - 32, 0));
  }
  // Clamped before the zero point is added: near 2^31 the sum would wrap.
  const low = i32x4.splat(p.low - p.zero);
  const high = i32x4.splat(p.high - p.zero);
  return i32x4.add(i32x4.min_s(i32x4.max_s(r, low), high), i32x4.splat(p.zero));
}

// @ts-ignore: decorator
@inline
function store8(p: Post, out: usize, a: v128, b: v128, left: i32): void {
  const words = i16x8.narrow_i32x4_s(a, b);
  const codes = p.bytes == 1 ? i8x16.narrow_i16x8_s(words, words) : words;
  if (left < 8) {
    v128.store(SPARE, codes);
    memory.copy(out, SPARE, <usize>(left * p.bytes));
  } else if (p.bytes == 1) {
    v128.store64_lane(out, codes, 0);
  } else {
    v128.store(out, codes);
  }
}

/**
 * n int32 accumulators to n codes. `across` = 0: all of one channel; 1: element i is of channel + i. Reads up to 28 bytes
 * beyond the accumulators.
 */
export function postRow(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  const uniform = !across || p.step == 0;
  if (p.mode < 2 && p.fits && uniform) return rowScaled(p, channel, across, acc, n, out);
  if (p.mode == 2 && p.fits) return rowFloat(p, channel, across, acc, n, out);
  if (p.mode == 0 && p.power && p.fits) return rowAcross(p, channel, acc, n, out);
  for (let i = 0; i < n; i++) {
    const c = across ? channel + i : channel;
    const bias: i64 = p.bias ? <i64>load<i32>(p.bias + <usize>(c * p.biasStep)) : 0;
    storeCode(p, out, i, postOne(p, c, <i64>load<i32>(acc + (<usize>i << 2)) + bias));
  }
}

// @ts-ignore: decorator
@inline
function storeCode(p: Post, out: usize, i: i32, code: i32): void {
  if (p.bytes == 1) store<i8>(out + <usize>i, <i8>code);
  else store<i16>(out + (<usize>i << 1), <i16>code);
}

// @ts-ignore: decorator
@inline
function bias4(p: Post, channel: i32, across: bool, i: i32): v128 {
  if (!p.bias) return i32x4.splat(0);
  if (across && p.biasStep) return v128.load(p.bias + <usize>((channel + i) << 2));
  return v128.load32_splat(p.bias + <usize>(channel * p.biasStep));
}

function rowScaled(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  const at = <usize>(channel * p.step);
  const s = load<i32>(p.shift + at);
  const m = v128.load32_splat(p.multiplier + at);
  const rounding = i64x2.splat((<i64>1) << (s - 1));
  const nudge = i64x2.splat(p.mode == 1 && s > 31 ? 1 << 30 : 0);
  const more = max(s - 32, 0);
  const bytes = p.bytes;
  for (let i = 0; i < n; i += 8) {
    const v0 = i32x4.add(v128.load(acc), bias4(p, channel, across, i));
    const v1 = i32x4.add(v128.load(acc, 16), bias4(p, channel, across, i + 4));
    const y0 = finish4(p, scale4(v0, m, rounding, nudge, s == 31, more));
    const y1 = finish4(p, scale4(v1, m, rounding, nudge, s == 31, more));
    store8(p, out, y0, y1, n - i);
    acc += 32;
    out += <usize>(bytes << 3);
  }
}

// @ts-ignore: decorator
@inline
function float4(p: Post, v: v128, m: v128): v128 {
  const low = f32x4.splat(p.table ? -32768 : <f32>(p.low - p.zero));
  const high = f32x4.splat(p.table ? 32767 : <f32>(p.high - p.zero));
  const product = f32x4.mul(f32x4.convert_i32x4_s(v), m);
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.pmin(f32x4.pmax(product, low), high)));
}

function rowFloat(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  const many = across && p.step != 0;
  let m0 = v128.load32_splat(p.multiplier + <usize>(channel * p.step));
  let m1 = m0;
  for (let i = 0; i < n; i += 8) {
    if (many) {
      const at = p.multiplier + (<usize>(channel + i) << 2);
      m0 = v128.load(at);
      m1 = v128.load(at, 16);
    }
    const v0 = i32x4.add(v128.load(acc), bias4(p, channel, across, i));
    const v1 = i32x4.add(v128.load(acc, 16), bias4(p, channel, across, i + 4));
    store8(p, out, finish4(p, float4(p, v0, m0)), finish4(p, float4(p, v1, m1)), n - i);
    acc += 32;
    out += <usize>(p.bytes << 3);
  }
}

/** The upper word w of v·m + 2^(s−1), then ⌊w / 2^(s−32)⌋ as (w·2^(62−s)) >> 30: a shift of its own for every lane. */
// @ts-ignore: decorator
@inline
function across4(p: Post, channel: i32, v: v128): v128 {
  const m = v128.load(p.multiplier + (<usize>channel << 2));
  const rounding = p.rounding + (<usize>channel << 3);
  const low = i64x2.add(i64x2.extmul_low_i32x4_s(v, m), v128.load(rounding));
  const high = i64x2.add(i64x2.extmul_high_i32x4_s(v, m), v128.load(rounding, 16));
  const w = highWords(low, high);
  const power = v128.load(p.power + (<usize>channel << 2));
  const a = i64x2.shl(i64x2.extmul_low_i32x4_s(w, power), 2);
  const b = i64x2.shl(i64x2.extmul_high_i32x4_s(w, power), 2);
  return highWords(a, b);
}

function rowAcross(p: Post, channel: i32, acc: usize, n: i32, out: usize): void {
  for (let i = 0; i < n; i += 8) {
    const v0 = i32x4.add(v128.load(acc), bias4(p, channel, true, i));
    const v1 = i32x4.add(v128.load(acc, 16), bias4(p, channel, true, i + 4));
    const y0 = finish4(p, across4(p, channel + i, v0));
    const y1 = finish4(p, across4(p, channel + i + 4, v1));
    store8(p, out, y0, y1, n - i);
    acc += 32;
    out += <usize>(p.bytes << 3);
  }
}

/** Accumulators of two 8-bit passes over 16-bit operands: v = 256·upper + lower + bias. */
export function postRowPair(p: Post, channel: i32, across: bool, upper: usize, lower: usize, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) {
    const c = across ? channel + i : channel;
    const bias: i64 = p.bias ? <i64>load<i32>(p.bias + <usize>(c * p.biasStep)) : 0;
    const at = <usize>i << 2;
    const v = (<i64>load<i32>(upper + at) << 8) + <i64>load<i32>(lower + at) + bias;
    storeCode(p, out, i, postOne(p, c, v));
  }
}

/** n int64 accumulators of one channel to n codes. */
export function postRow64(p: Post, acc: usize, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) storeCode(p, out, i, postOne(p, 0, load<i64>(acc + (<usize>i << 3))));
}
