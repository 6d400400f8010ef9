// Round to nearest, int4 with an integer multiplier a block, in one pass over memory: a row stays in the first-level cache
// between its two halves.

@inline
function codesOf(at: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(at), inverse)));
}

/** Sixteen numbers as codes of 4 bits in 8 bytes, low nibble first; what a rounding took beyond ±7 is cut. */
@inline
function pack16(at: usize, inverse: v128): v128 {
  const a = i16x8.narrow_i32x4_s(codesOf(at, inverse), codesOf(at + 16, inverse));
  const b = i16x8.narrow_i32x4_s(codesOf(at + 32, inverse), codesOf(at + 48, inverse));
  const wide = i8x16.narrow_i16x8_s(a, b);
  const v = i8x16.min_s(i8x16.max_s(wide, i8x16.splat(-7)), i8x16.splat(7));
  return v128.or(v128.and(v, i16x8.splat(0x0f)), v128.and(i16x8.shr_u(v, 4), i16x8.splat(0xf0)));
}

@inline
function largest(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/**
 * `rows` rows of `depth` float32 (a multiple of `block`, a multiple of 32) → packed int4 codes in [−7, 7], uint8 multipliers
 * [rows, depth / block] in [1, most], float32 scales [rows]. scale = |row| / (7·most); a block's multiplier is the least that
 * clips nothing. A row of zeros has the scale 0. reaches: room for depth / block float32.
 */
export function roundRows(
  values: usize, rows: i32, depth: i32, block: i32, most: i32, codes: usize, multipliers: usize, scales: usize,
  reaches: usize,
): void {
  const blocks = depth / block;
  const range = <f32>most * 7;
  const size = <usize>block << 2;
  for (let row = 0; row < rows; row++) {
    let reach: f32 = 0;
    let at = values;
    for (let b = 0; b < blocks; b++) {
      let m0 = f32x4.splat(0);
      let m1 = m0;
      const end = at + size;
      while (at < end) {
        m0 = f32x4.pmax(m0, f32x4.abs(v128.load(at)));
        m1 = f32x4.pmax(m1, f32x4.abs(v128.load(at, 16)));
        at += 32;
      }
      const own = largest(f32x4.pmax(m0, m1));
      store<f32>(reaches + (<usize>b << 2), own);
      reach = max(reach, own);
    }
    const scale = reach / range;
    store<f32>(scales, scale);
    scales += 4;
    at = values;
    for (let b = 0; b < blocks; b++) {
      const own = load<f32>(reaches + (<usize>b << 2));
      const m = scale > 0 ? min(most, max(1, <i32>Mathf.ceil(own / (<f32>7 * scale)))) : 1;
      store<u8>(multipliers++, <u8>m);
      const inverse = f32x4.splat(scale > 0 ? <f32>1 / (scale * <f32>m) : 0);
      const end = at + size;
      while (at < end) {
        v128.store(codes, i8x16.narrow_i16x8_u(pack16(at, inverse), pack16(at + 64, inverse)));
        codes += 16;
        at += 128;
      }
    }
    values = at;
  }
}
