/** `s ← (s + v) / d` in float32, rounded after each: `count` numbers, and room for three more. */
export function addDivided(sums: usize, values: usize, count: i32, divisor: f32): void {
  const parts = f32x4.splat(divisor);
  const bytes = <usize>count << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(sums + at, f32x4.div(f32x4.add(v128.load(sums + at), v128.load(values + at)), parts));
  }
}
