/**
 * out[k] = Σ_i h[i]·(w[i] − q·s_k)² with q = clamp(nearest(w[i] / s_k), low, high), for `steps` candidates s_k.
 * w, h: float32 [count], count a multiple of 4 (pad with zeros); candidates: float32 [steps]; out: float64 [steps].
 */
export function errors(
  w: usize, h: usize, count: i32, candidates: usize, steps: i32, low: f32, high: f32, out: usize,
): void {
  const lowest = f32x4.splat(low);
  const highest = f32x4.splat(high);
  const end = w + (<usize>count << 2);
  for (let k = 0; k < steps; k++) {
    const s = load<f32>(candidates + (<usize>k << 2));
    const step = f32x4.splat(s);
    const inverse = f32x4.splat(<f32>1 / s);
    let sum = f32x4.splat(0);
    let g = h;
    for (let at = w; at < end; at += 16) {
      const x = v128.load(at);
      const q = f32x4.min(f32x4.max(f32x4.nearest(f32x4.mul(x, inverse)), lowest), highest);
      const e = f32x4.sub(x, f32x4.mul(q, step));
      sum = f32x4.add(sum, f32x4.mul(v128.load(g), f32x4.mul(e, e)));
      g += 16;
    }
    store<f64>(
      out + (<usize>k << 3),
      (<f64>f32x4.extract_lane(sum, 0) + <f64>f32x4.extract_lane(sum, 1)) +
        (<f64>f32x4.extract_lane(sum, 2) + <f64>f32x4.extract_lane(sum, 3)),
    );
  }
}
