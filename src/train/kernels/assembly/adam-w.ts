import { scaled } from "./lanes";

/**
 * One step of AdamW on float32 weights and both of their moments, in place: `count` numbers, and room for three more. In
 * float32, every operation rounded, gradients multiplied by `factor` first: `m ← β₁·m + (1 − β₁)·g; s ← β₂·s + ((1 − β₂)·g)·g; w ← w·shrink − scale·m / (√s·spread + ε)`.
 */
export function adamW(
  weights: usize, gradients: usize, means: usize, squares: usize, count: i32,
  first: f64, second: f64, shrink: f32, scale: f32, spread: f32, epsilon: f32, factor: f64,
): void {
  const oldMean = f32x4.splat(<f32>first);
  const newMean = f32x4.splat(<f32>(1.0 - first));
  const oldSquare = f32x4.splat(<f32>second);
  const newSquare = f32x4.splat(<f32>(1.0 - second));
  const less = f32x4.splat(shrink);
  const pace = f32x4.splat(scale);
  const wide = f32x4.splat(spread);
  const least = f32x4.splat(epsilon);
  const factors = f64x2.splat(factor);
  const bytes = <usize>count << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    const g = scaled(gradients + at, factors);
    const mean = f32x4.add(f32x4.mul(oldMean, v128.load(means + at)), f32x4.mul(newMean, g));
    const square = f32x4.add(f32x4.mul(oldSquare, v128.load(squares + at)), f32x4.mul(f32x4.mul(newSquare, g), g));
    v128.store(means + at, mean);
    v128.store(squares + at, square);
    const way = f32x4.div(f32x4.mul(pace, mean), f32x4.add(f32x4.mul(f32x4.sqrt(square), wide), least));
    v128.store(weights + at, f32x4.sub(f32x4.mul(v128.load(weights + at), less), way));
  }
}
