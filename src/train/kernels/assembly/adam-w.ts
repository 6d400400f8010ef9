import { keep, two } from "./lanes";

/**
 * One step of AdamW on float32 weights and both of their moments, in place: `count` numbers, and room for one more where that is odd.
 * `m ← β₁·m + (1 − β₁)·g; s ← β₂·s + (1 − β₂)·g²; w ← w·shrink − scale·m / (√s·spread + ε)`, in double, each stored number rounded once.
 */
export function adamW(
  weights: usize, gradients: usize, means: usize, squares: usize, count: i32,
  first: f64, second: f64, shrink: f64, scale: f64, spread: f64, epsilon: f64,
): void {
  const oldMean = f64x2.splat(first);
  const newMean = f64x2.splat(1.0 - first);
  const oldSquare = f64x2.splat(second);
  const newSquare = f64x2.splat(1.0 - second);
  const less = f64x2.splat(shrink);
  const pace = f64x2.splat(scale);
  const wide = f64x2.splat(spread);
  const least = f64x2.splat(epsilon);
  const bytes = <usize>count << 2;
  for (let at: usize = 0; at < bytes; at += 8) {
    const g = two(gradients + at);
    const mean = f64x2.add(f64x2.mul(oldMean, two(means + at)), f64x2.mul(newMean, g));
    const square = f64x2.add(f64x2.mul(oldSquare, two(squares + at)), f64x2.mul(f64x2.mul(newSquare, g), g));
    keep(means + at, mean);
    keep(squares + at, square);
    const way = f64x2.div(f64x2.mul(pace, mean), f64x2.add(f64x2.mul(f64x2.sqrt(square), wide), least));
    keep(weights + at, f64x2.sub(f64x2.mul(two(weights + at), less), way));
  }
}
