// One pass over a block of positions of all channels, each rounded with what the ones before it left over.

/**
 * For position i = 0 … count−1 of every channel: v = t[i] − Σ_{j<i} c[i][j]·d[j]; code = clamp(nearest(v / step), low, high);
 * d[i] = code·step − base[i]. Channels lie side by side: t, base, d are float64 [count][width], codes int8 [count][width],
 * width a multiple of 8. c: float64 [count][count], read below the diagonal. places: int32 [count], the byte at which the
 * position's steps, float64 [width], begin. scratch: count·64 bytes.
 */
export function sweep(
  t: usize, c: usize, base: usize, places: usize, d: usize, codes: usize, scratch: usize,
  count: i32, width: i32, low: f64, high: f64,
): void {
  const lowest = f64x2.splat(low);
  const highest = f64x2.splat(high);
  const stride = <usize>width << 3;
  for (let column = 0; column < width; column += 8) {
    const offset = <usize>column << 3;
    for (let i = 0; i < count; i++) {
      const at = <usize>i * stride + offset;
      let v0 = v128.load(t + at);
      let v1 = v128.load(t + at, 16);
      let v2 = v128.load(t + at, 32);
      let v3 = v128.load(t + at, 48);
      let row = c + ((<usize>i * <usize>count) << 3);
      const end = scratch + (<usize>i << 6);
      for (let left = scratch; left < end; left += 64) {
        const f = v128.load64_splat(row);
        v0 = f64x2.sub(v0, f64x2.mul(f, v128.load(left)));
        v1 = f64x2.sub(v1, f64x2.mul(f, v128.load(left, 16)));
        v2 = f64x2.sub(v2, f64x2.mul(f, v128.load(left, 32)));
        v3 = f64x2.sub(v3, f64x2.mul(f, v128.load(left, 48)));
        row += 8;
      }
      const steps = <usize>load<i32>(places + (<usize>i << 2)) + offset;
      settle(v0, steps, base + at, end, d + at, codes + <usize>(i * width + column), lowest, highest);
      settle(v1, steps + 16, base + at + 16, end + 16, d + at + 16, codes + <usize>(i * width + column + 2), lowest, highest);
      settle(v2, steps + 32, base + at + 32, end + 32, d + at + 32, codes + <usize>(i * width + column + 4), lowest, highest);
      settle(v3, steps + 48, base + at + 48, end + 48, d + at + 48, codes + <usize>(i * width + column + 6), lowest, highest);
    }
  }
}

@inline
function settle(
  v: v128, steps: usize, base: usize, left: usize, d: usize, codes: usize, lowest: v128, highest: v128,
): void {
  const step = v128.load(steps);
  const q = f64x2.min(f64x2.max(f64x2.nearest(f64x2.div(v, step)), lowest), highest);
  const e = f64x2.sub(f64x2.mul(q, step), v128.load(base));
  v128.store(left, e);
  v128.store(d, e);
  store<i8>(codes, <i8>f64x2.extract_lane(q, 0));
  store<i8>(codes, <i8>f64x2.extract_lane(q, 1), 1);
}
