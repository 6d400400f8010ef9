import { keep, two } from "./lanes";

/**
 * One step of SGD with momentum on float32 weights and their speeds, in place: `count` numbers, and room for one more. First, `g ← f·g`, rounded to float32.
 * `v ← μ·v + (g + λ·w); w ← w − η·v`, with Nesterov's `w ← w − η·((g + λ·w) + μ·v)`, in double, each stored number rounded once.
 */
export function sgd(
  weights: usize, gradients: usize, speeds: usize, count: i32, momentum: f64, decay: f64, rate: f64, nesterov: bool, factor: f64,
): void {
  const mass = f64x2.splat(momentum);
  const less = f64x2.splat(decay);
  const pace = f64x2.splat(rate);
  const factors = f64x2.splat(factor);
  const bytes = <usize>count << 2;
  for (let at: usize = 0; at < bytes; at += 8) {
    const w = two(weights + at);
    const g = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(f64x2.mul(two(gradients + at), factors)));
    const pull = f64x2.add(g, f64x2.mul(less, w));
    const speed = f64x2.add(f64x2.mul(mass, two(speeds + at)), pull);
    keep(speeds + at, speed);
    const way = nesterov ? f64x2.add(pull, f64x2.mul(mass, speed)) : speed;
    keep(weights + at, f64x2.sub(w, f64x2.mul(pace, way)));
  }
}
