/** Two float32 numbers as doubles. */
@inline
export function two(address: usize): v128 {
  return v128.promote_low<f32>(v128.load64_zero(address));
}

/** Four float32 numbers, each multiplied in double and rounded once. */
@inline
export function scaled(address: usize, factors: v128): v128 {
  const front = v128.demote_zero<f64>(f64x2.mul(two(address), factors));
  const back = v128.demote_zero<f64>(f64x2.mul(two(address + 8), factors));
  return v128.shuffle<f32>(front, back, 0, 1, 4, 5);
}

/** Two doubles as float32 numbers, each rounded once. */
@inline
export function keep(address: usize, values: v128): void {
  v128.store64_lane(address, v128.demote_zero<f64>(values), 0);
}
