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
  /** The activation written out: the code (or sample) of each of the 65,536 int16 positions; or 0. */
  codes: usize;
  zero: i32;
  low: i32;
  high: i32;
  /** Of a code: 1 or 2; of a sample that another stage requantizes: 4. */
  bytes: i32;
  /** int32[], or 0. */
  bias: usize;
  biasStep: i32;
  /** 1 where every multiplier is normalised or 0, or its shift at least 31: vectors of 32-bit results then do. */
  fits: i32;
  /** For channels side by side, all shifts in 32…62: 2^(shift − 1) as int64[], and 2^(62 − shift) as int32[]; or 0. */
  rounding: usize;
  power: usize;
  /**
   * The stage before this one, from accumulator (and bias) to the activation's int16 sample, which here is the accumulator; or 0.
   * Where one multiplier serves all channels `codes` says all of it; a table of codes a channel would be too large.
   */
  sampling: usize;
  /** The post stage of another node that has the same accumulators, whose results lie `distance` bytes further; or 0. */
  next: usize;
  distance: i32;
}

const SPARE = memory.data(16, 16);
const TAIL = memory.data(32, 16);
/** Samples on their way from one stage to the next, and what rows read too much. */
const CHUNK = 1024;
const SAMPLES = memory.data(4 * CHUNK + 32, 16);

@inline
function clampI64(v: i64, low: i64, high: i64): i64 {
  return v < low ? low : v > high ? high : v;
}

/** One code from one accumulator (bias included), any mode. */
export function postOne(p: Post, channel: i32, v: i64): i32 {
  if (!p.sampling) return stageOne(p, channel, v);
  return stageOne(p, channel, <i64>stageOne(changetype<Post>(p.sampling), channel, v));
}

function stageOne(p: Post, channel: i32, v: i64): i32 {
  const at = <usize>(channel * p.step);
  let r: i64;
  if (p.mode == 2) {
    const low: f32 = p.codes ? -32768 : <f32>(p.low - p.zero);
    const high: f32 = p.codes ? 32767 : <f32>(p.high - p.zero);
    let product = <f32>v * load<f32>(p.multiplier + at);
    product = product < low ? low : product > high ? high : product;
    r = <i64>nearest(product);
  } else {
    const m = <i64>load<i32>(p.multiplier + at);
    const s = <i64>load<i32>(p.shift + at);
    const nudge: i64 = p.mode == 1 && s > 31 ? (v >= 0 ? 1 << 30 : -(1 << 30)) : 0;
    r = (v * m + ((<i64>1) << (s - 1)) + nudge) >> s;
  }
  if (!p.codes) return <i32>clampI64(r + <i64>p.zero, <i64>p.low, <i64>p.high);
  const position = <usize>(clampI64(r, -32768, 32767) + 32768);
  return p.bytes == 1 ? <i32>load<i8>(p.codes + position) : <i32>load<i16>(p.codes + (position << 1));
}

/** The function sampled by `table` at an int16 position. */
@inline
export function interpolate(table: usize, position: i32): i32 {
  const p = position + 32768;
  const at = table + (<usize>(p >> 7) << 1);
  const a = <i32>load<i16>(at);
  const b = <i32>load<i16>(at, 2);
  return a + (((b - a) * (p & 127) + 64) >> 7);
}

@inline
function highWords(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** (v·m + rounding) >> s for one s > 31: the upper words of the sum, then s − 32 more. */
@inline
function scale4(v: v128, m: v128, rounding: v128, more: i32): v128 {
  const low = i64x2.add(i64x2.extmul_low_i32x4_s(v, m), rounding);
  const high = i64x2.add(i64x2.extmul_high_i32x4_s(v, m), rounding);
  return i32x4.shr_s(highWords(low, high), more);
}

/**
 * As scale4 with ± nudge by the sign of v, and for s < 32, where the sum is raised by `up` = 32 − s instead. v is held within
 * ± limit, so that the raised sum stays below 2^63: with s < 31 and m ≥ 2^30, what lies beyond is beyond 2^16 when scaled.
 */
@inline
function scaleRaised4(v: v128, m: v128, rounding: v128, nudge: v128, limit: v128, up: i32, more: i32): v128 {
  const held = i32x4.max_s(i32x4.min_s(v, limit), i32x4.neg(limit));
  const sign = i32x4.shr_s(held, 31);
  const lowSign = i64x2.extend_low_i32x4_s(sign);
  const highSign = i64x2.extend_high_i32x4_s(sign);
  let low = i64x2.add(i64x2.extmul_low_i32x4_s(held, m), rounding);
  let high = i64x2.add(i64x2.extmul_high_i32x4_s(held, m), rounding);
  low = i64x2.shl(i64x2.add(low, i64x2.sub(v128.xor(nudge, lowSign), lowSign)), up);
  high = i64x2.shl(i64x2.add(high, i64x2.sub(v128.xor(nudge, highSign), highSign)), up);
  return i32x4.shr_s(highWords(low, high), more);
}

/** The |v| at which v·m·2^−s is beyond 2^16 for every m ≥ 2^30. */
@inline
function limitOf(s: i32): i32 {
  return s > 30 ? i32.MAX_VALUE : s > 14 ? (1 << (s - 14)) + 1 : 2;
}

/** Eight requantized values to codes at `out`: through the activation's codes, or clamped (before the zero is added, so as not to wrap). */
@inline
function store8(codes: usize, bytes: i32, low: v128, high: v128, zero: v128, r0: v128, r1: v128, out: usize): void {
  if (codes) {
    v128.store(SPARE, v128.xor(i16x8.narrow_i32x4_s(r0, r1), i16x8.splat(-32768)));
    if (bytes == 1) {
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE)));
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 2)), 1);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 4)), 2);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 6)), 3);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 8)), 4);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 10)), 5);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 12)), 6);
      store<u8>(out, load<u8>(codes + <usize>load<u16>(SPARE, 14)), 7);
    } else if (bytes == 2) {
      for (let i: usize = 0; i < 16; i += 2) {
        store<u16>(out + i, load<u16>(codes + (<usize>load<u16>(SPARE + i) << 1)));
      }
    } else {
      for (let i: usize = 0; i < 16; i += 2) {
        store<i32>(out + (i << 1), <i32>load<i16>(codes + (<usize>load<u16>(SPARE + i) << 1)));
      }
    }
    return;
  }
  const y0 = i32x4.add(i32x4.min_s(i32x4.max_s(r0, low), high), zero);
  const y1 = i32x4.add(i32x4.min_s(i32x4.max_s(r1, low), high), zero);
  const words = i16x8.narrow_i32x4_s(y0, y1);
  if (bytes == 1) v128.store64_lane(out, i8x16.narrow_i16x8_s(words, words), 0);
  else v128.store(out, words);
}

/**
 * n int32 accumulators to n codes. `across` = 0: all of one channel; 1: element i is of channel + i. Reads up to 28 bytes
 * beyond the accumulators.
 */
export function postRow(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  if (!p.sampling) {
    postWhole(p, channel, across, acc, n, out);
    return;
  }
  const sampling = changetype<Post>(p.sampling);
  for (let first = 0; first < n; first += CHUNK) {
    const count = min(CHUNK, n - first);
    const c = across ? channel + first : channel;
    postWhole(sampling, c, across, acc + (<usize>first << 2), count, SAMPLES);
    postWhole(p, c, across, SAMPLES, count, out + <usize>(first * p.bytes));
  }
}

/** A row's codes of every node that has these accumulators; acc2: of the pass over the lower bytes, or 0. */
export function postRows(p: Post, channel: i32, across: bool, acc: usize, acc2: usize, n: i32, out: usize): void {
  for (;;) {
    if (acc2) postRowPair(p, channel, across, acc, acc2, n, out);
    else postRow(p, channel, across, acc, n, out);
    if (!p.next) return;
    out += <usize>p.distance;
    p = changetype<Post>(p.next);
  }
}

/** One stage of a row. */
function postWhole(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  // Whole groups of eight, the last of them by way of a spare place.
  const whole = n & ~7;
  rowOf(p, channel, across, acc, whole, out);
  if (whole == n) return;
  rowOf(p, across ? channel + whole : channel, across, acc + (<usize>whole << 2), 8, TAIL);
  memory.copy(out + <usize>(whole * p.bytes), TAIL, <usize>((n - whole) * p.bytes));
}

/** n is a multiple of 8. */
function rowOf(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  const uniform = !across || p.step == 0;
  const plain = !across || p.biasStep == 0;
  if (p.mode < 2 && p.fits && uniform && plain) rowScaled(p, channel, acc, n, out);
  else if (p.mode == 2) rowFloat(p, channel, across, acc, n, out);
  else if (p.mode == 0 && p.power && across) rowAcross(p, channel, acc, n, out);
  else {
    for (let i = 0; i < n; i++) {
      const c = across ? channel + i : channel;
      const bias: i64 = p.bias ? <i64>load<i32>(p.bias + <usize>(c * p.biasStep)) : 0;
      storeCode(p, out, i, stageOne(p, c, <i64>load<i32>(acc + (<usize>i << 2)) + bias));
    }
  }
}

@inline
function storeCode(p: Post, out: usize, i: i32, code: i32): void {
  if (p.bytes == 1) store<i8>(out + <usize>i, <i8>code);
  else if (p.bytes == 2) store<i16>(out + (<usize>i << 1), <i16>code);
  else store<i32>(out + (<usize>i << 2), code);
}

@inline
function bias4(bias: usize, step: i32, channel: i32): v128 {
  if (!bias) return i32x4.splat(0);
  return step ? v128.load(bias + (<usize>channel << 2)) : v128.load32_splat(bias);
}

// What does not change along a row is read before the loop: the compiler cannot tell that stores leave it alone.
function rowScaled(p: Post, channel: i32, acc: usize, n: i32, out: usize): void {
  const at = <usize>(channel * p.step);
  const s = load<i32>(p.shift + at);
  const m = v128.load32_splat(p.multiplier + at);
  const rounding = i64x2.splat((<i64>1) << (s - 1));
  const more = max(s - 32, 0);
  const bias = p.bias ? v128.load32_splat(p.bias + <usize>(channel * p.biasStep)) : i32x4.splat(0);
  const codes = p.codes;
  const bytes = p.bytes;
  const zero = i32x4.splat(p.zero);
  const low = i32x4.splat(p.low - p.zero);
  const high = i32x4.splat(p.high - p.zero);
  const end = acc + (<usize>n << 2);
  if (p.mode == 0 && s > 31) {
    for (; acc < end; acc += 32) {
      const r0 = scale4(i32x4.add(v128.load(acc), bias), m, rounding, more);
      const r1 = scale4(i32x4.add(v128.load(acc, 16), bias), m, rounding, more);
      store8(codes, bytes, low, high, zero, r0, r1, out);
      out += <usize>(bytes << 3);
    }
    return;
  }
  const nudge = i64x2.splat(p.mode == 1 && s > 31 ? 1 << 30 : 0);
  const limit = i32x4.splat(limitOf(s));
  const up = max(32 - s, 0);
  for (; acc < end; acc += 32) {
    const r0 = scaleRaised4(i32x4.add(v128.load(acc), bias), m, rounding, nudge, limit, up, more);
    const r1 = scaleRaised4(i32x4.add(v128.load(acc, 16), bias), m, rounding, nudge, limit, up, more);
    store8(codes, bytes, low, high, zero, r0, r1, out);
    out += <usize>(bytes << 3);
  }
}

@inline
function float4(v: v128, m: v128, least: v128, most: v128): v128 {
  const product = f32x4.mul(f32x4.convert_i32x4_s(v), m);
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.pmin(f32x4.pmax(product, least), most)));
}

function rowFloat(p: Post, channel: i32, across: bool, acc: usize, n: i32, out: usize): void {
  const many = across && p.step != 0;
  const codes = p.codes;
  const bytes = p.bytes;
  const bias = p.bias ? (across ? p.bias : p.bias + <usize>(channel * p.biasStep)) : 0;
  const biasStep = across ? p.biasStep : 0;
  const zero = i32x4.splat(p.zero);
  const low = i32x4.splat(p.low - p.zero);
  const high = i32x4.splat(p.high - p.zero);
  const least = f32x4.splat(codes ? -32768 : <f32>(p.low - p.zero));
  const most = f32x4.splat(codes ? 32767 : <f32>(p.high - p.zero));
  const multiplier = p.multiplier;
  let m0 = v128.load32_splat(multiplier + <usize>(channel * p.step));
  let m1 = m0;
  for (let i = 0; i < n; i += 8) {
    if (many) {
      const at = multiplier + (<usize>(channel + i) << 2);
      m0 = v128.load(at);
      m1 = v128.load(at, 16);
    }
    const v0 = i32x4.add(v128.load(acc), bias4(bias, biasStep, channel + i));
    const v1 = i32x4.add(v128.load(acc, 16), bias4(bias, biasStep, channel + i + 4));
    store8(codes, bytes, low, high, zero, float4(v0, m0, least, most), float4(v1, m1, least, most), out);
    acc += 32;
    out += <usize>(bytes << 3);
  }
}

/** The upper word w of v·m + 2^(s−1), then ⌊w / 2^(s−32)⌋ as (w·2^(62−s)·4) >> 32: a shift of its own for every lane. */
@inline
function across4(multiplier: usize, rounding: usize, power: usize, channel: i32, v: v128): v128 {
  const m = v128.load(multiplier + (<usize>channel << 2));
  const half = rounding + (<usize>channel << 3);
  const low = i64x2.add(i64x2.extmul_low_i32x4_s(v, m), v128.load(half));
  const high = i64x2.add(i64x2.extmul_high_i32x4_s(v, m), v128.load(half, 16));
  const w = highWords(low, high);
  const factor = v128.load(power + (<usize>channel << 2));
  const a = i64x2.shl(i64x2.extmul_low_i32x4_s(w, factor), 2);
  const b = i64x2.shl(i64x2.extmul_high_i32x4_s(w, factor), 2);
  return highWords(a, b);
}

function rowAcross(p: Post, channel: i32, acc: usize, n: i32, out: usize): void {
  const codes = p.codes;
  const bytes = p.bytes;
  const bias = p.bias;
  const biasStep = p.biasStep;
  const zero = i32x4.splat(p.zero);
  const low = i32x4.splat(p.low - p.zero);
  const high = i32x4.splat(p.high - p.zero);
  const multiplier = p.multiplier;
  const rounding = p.rounding;
  const power = p.power;
  for (let i = 0; i < n; i += 8) {
    const v0 = i32x4.add(v128.load(acc), bias4(bias, biasStep, channel + i));
    const v1 = i32x4.add(v128.load(acc, 16), bias4(bias, biasStep, channel + i + 4));
    const r0 = across4(multiplier, rounding, power, channel + i, v0);
    const r1 = across4(multiplier, rounding, power, channel + i + 4, v1);
    store8(codes, bytes, low, high, zero, r0, r1, out);
    acc += 32;
    out += <usize>(bytes << 3);
  }
}

/** Accumulators of two 8-bit passes over 16-bit operands: v = 256·upper + lower + bias. */
export function postRowPair(p: Post, channel: i32, across: bool, upper: usize, lower: usize, n: i32, out: usize): void {
  const first = p.sampling ? changetype<Post>(p.sampling) : p;
  if (!across && (first.mode == 0 || first.mode == 3)) {
    if (!p.sampling) return pairScaled(p, channel, upper, lower, n, out);
    for (let start = 0; start < n; start += CHUNK) {
      const count = min(CHUNK, n - start);
      const at = <usize>start << 2;
      pairScaled(first, channel, upper + at, lower + at, count, SAMPLES);
      postWhole(p, channel, false, SAMPLES, count, out + <usize>(start * p.bytes));
    }
    return;
  }
  for (let i = 0; i < n; i++) {
    const c = across ? channel + i : channel;
    const bias: i64 = first.bias ? <i64>load<i32>(first.bias + <usize>(c * first.biasStep)) : 0;
    const at = <usize>i << 2;
    const v = (<i64>load<i32>(upper + at) << 8) + <i64>load<i32>(lower + at) + bias;
    storeCode(p, out, i, postOne(p, c, v));
  }
}

/** A row of one channel with integer multipliers and no nudge: what does not change along it is read before the loop. */
function pairScaled(p: Post, channel: i32, upper: usize, lower: usize, n: i32, out: usize): void {
  const m = <i64>load<i32>(p.multiplier + <usize>(channel * p.step));
  const s = <i64>load<i32>(p.shift + <usize>(channel * p.step));
  const bias: i64 = p.bias ? <i64>load<i32>(p.bias + <usize>(channel * p.biasStep)) : 0;
  // ((upper·2^8 + lower + bias)·m + 2^(s − 1)) >> s
  const rest = bias * m + ((<i64>1) << (s - 1));
  const codes = p.codes;
  const bytes = p.bytes;
  const low: i64 = codes ? -32768 : <i64>p.low - <i64>p.zero;
  const high: i64 = codes ? 32767 : <i64>p.high - <i64>p.zero;
  const zero = p.zero;
  const end = upper + (<usize>n << 2);
  for (; upper < end; upper += 4) {
    const v = (<i64>load<i32>(upper) << 8) + <i64>load<i32>(lower);
    let code = <i32>clampI64((v * m + rest) >> s, low, high);
    lower += 4;
    if (!codes) code += zero;
    else if (bytes == 1) code = <i32>load<i8>(codes + <usize>(code + 32768));
    else code = <i32>load<i16>(codes + (<usize>(code + 32768) << 1));
    if (bytes == 1) store<i8>(out, <i8>code);
    else if (bytes == 2) store<i16>(out, <i16>code);
    else store<i32>(out, code);
    out += <usize>bytes;
  }
}

/** n int64 accumulators of one channel to n codes. */
export function postRow64(p: Post, acc: usize, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) storeCode(p, out, i, postOne(p, 0, load<i64>(acc + (<usize>i << 3))));
}
