/**
 * H + λ·I with λ = `share` of the mean of its diagonal, `chance` of its off-diagonal taken away first. A position that calibration
 * never moved (its row is zero) then stands alone and is rounded to nearest; where none moved, all are.
 */
export function damped(gram: Float64Array, depth: number, share: number, chance = 0): Float64Array {
  const result = chance === 0 ? gram.slice() : gram.map((value) => value * (1 - chance));
  let trace = 0;
  for (let i = 0; i < depth; i++) trace += gram[i * depth + i];
  const more = trace > 0 ? (share * trace) / depth : 1;
  for (let i = 0; i < depth; i++) result[i * depth + i] = gram[i * depth + i] + more;
  return result;
}

/**
 * How much of what `count` vectors say about which positions go together is chance: the share of the off-diagonal to take away.
 * It is oracle-approximating shrinkage (Chen, Wiesel, Eldar & Hero 2010) of the correlations towards the identity,
 * ρ = ((1 − 2/p)·t₂ + p²) / ((n + 1 − 2/p)·(t₂ − p)), t₂ = Σ of squared correlations, p positions that move, n vectors.
 */
export function chanceOf(gram: Float64Array, depth: number, count: number): number {
  let [moving, squares] = [0, 0];
  for (let i = 0; i < depth; i++) {
    const own = gram[i * depth + i];
    if (!(own > 0)) continue;
    moving += 1;
    for (let j = 0; j < depth; j++) {
      const other = gram[j * depth + j];
      if (other > 0) squares += gram[i * depth + j] ** 2 / (own * other);
    }
  }
  if (moving === 0) return 1;
  const above = ((1 - 2 / moving) * squares + moving * moving) / (count + 1 - 2 / moving);
  return squares - moving > 0 ? Math.min(1, above / (squares - moving)) : 1;
}
