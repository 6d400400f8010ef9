/** Two float32 numbers as doubles. */
@inline
export function two(address: usize): v128 {
  return v128.promote_low<f32>(v128.load64_zero(address));
}

/** Two doubles as float32 numbers, each rounded once. */
@inline
export function keep(address: usize, values: v128): void {
  v128.store64_lane(address, v128.demote_zero<f64>(values), 0);
}
