import { two } from "./lanes";

/** `s ← (s + v) / d` in float32, rounded after each: `count` numbers, and room for three more. */
export function addDivided(sums: usize, values: usize, count: i32, divisor: f32): void {
  const parts = f32x4.splat(divisor);
  const bytes = <usize>count << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(sums + at, f32x4.div(f32x4.add(v128.load(sums + at), v128.load(values + at)), parts));
  }
}

/**
 * Adds the squares of `count` float32 numbers, in double, to four sums at `sums`: number 0 to the first, 1 to the second, 4 to the
 * first again, and what is left after whole fours all to the first.
 */
export function addSquares(values: usize, count: i32, sums: usize): void {
  let front = v128.load(sums);
  let back = v128.load(sums + 16);
  const whole = <usize>(count & ~3) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const a = two(values + at);
    const b = two(values + at + 8);
    front = f64x2.add(front, f64x2.mul(a, a));
    back = f64x2.add(back, f64x2.mul(b, b));
  }
  v128.store(sums, front);
  v128.store(sums + 16, back);
  const bytes = <usize>count << 2;
  for (let at = whole; at < bytes; at += 4) {
    const value = <f64>load<f32>(values + at);
    store<f64>(sums, load<f64>(sums) + value * value);
  }
}
