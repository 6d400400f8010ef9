/**
 * Adds to float64 [channels] sums: of int16 codes, and of (moved − codes)²; and raises the largest difference. `runs` times `inner`
 * codes lie in a row, of one channel after the other. Whole numbers all of them, so no order of adding shows.
 */
export function codeSums(
  codes: usize, moved: usize, runs: i32, inner: i32, channels: i32, sums: usize, most: usize, squares: usize,
): void {
  let channel = 0;
  for (let run = 0; run < runs; run++) {
    const at = <usize>channel << 3;
    let sum: i64 = 0;
    let square: i64 = 0;
    let largest = <i32>load<f64>(most + at);
    const whole = inner & ~7;
    if (whole > 0) {
      let low = i32x4.splat(largest);
      let total = i64x2.splat(0);
      for (let index = 0; index < whole; index += 8) {
        const a = v128.load(codes);
        const b = v128.load(moved);
        const upper = i32x4.sub(i32x4.extend_high_i16x8_s(b), i32x4.extend_high_i16x8_s(a));
        const lower = i32x4.sub(i32x4.extend_low_i16x8_s(b), i32x4.extend_low_i16x8_s(a));
        low = i32x4.max_s(low, i32x4.max_s(lower, upper));
        total = i64x2.add(total, i64x2.add(i64x2.extmul_low_i32x4_s(lower, lower), i64x2.extmul_high_i32x4_s(lower, lower)));
        total = i64x2.add(total, i64x2.add(i64x2.extmul_low_i32x4_s(upper, upper), i64x2.extmul_high_i32x4_s(upper, upper)));
        const pairs = i32x4.extadd_pairwise_i16x8_s(a);
        sum += <i64>i32x4.extract_lane(pairs, 0) + <i64>i32x4.extract_lane(pairs, 1);
        sum += <i64>i32x4.extract_lane(pairs, 2) + <i64>i32x4.extract_lane(pairs, 3);
        codes += 16;
        moved += 16;
      }
      square += i64x2.extract_lane(total, 0) + i64x2.extract_lane(total, 1);
      largest = max(max(i32x4.extract_lane(low, 0), i32x4.extract_lane(low, 1)), max(i32x4.extract_lane(low, 2), i32x4.extract_lane(low, 3)));
    }
    for (let index = whole; index < inner; index++) {
      const code = <i32>load<i16>(codes);
      const difference = <i32>load<i16>(moved) - code;
      sum += <i64>code;
      square += <i64>difference * <i64>difference;
      largest = max(largest, difference);
      codes += 2;
      moved += 2;
    }
    store<f64>(sums + at, load<f64>(sums + at) + <f64>sum);
    store<f64>(squares + at, load<f64>(squares + at) + <f64>square);
    store<f64>(most + at, <f64>largest);
    if (++channel == channels) channel = 0;
  }
}
