import { seededRandom } from "../../../src/ir/random.ts";
import { damped } from "../../../src/quant/rounding/condition.ts";
import type { Matrix } from "../../../src/quant/rounding/matrix.ts";

/** Numbers in (−1, 1), more of them near zero. */
export function bell(random: () => number): number {
  return random() + random() + random() - 1.5;
}

/** Weights, and the damped Gram matrix of inputs that share a few directions. */
export function problem(rows: number, depth: number, seed: number): { matrix: Matrix; gram: Float64Array } {
  const random = seededRandom(seed);
  const values = Float64Array.from({ length: rows * depth }, () => bell(random));
  const mixing = Array.from({ length: 6 }, () => Array.from({ length: depth }, () => bell(random)));
  const gram = new Float64Array(depth * depth);
  for (let sample = 0; sample < 2 * depth; sample++) {
    const causes = mixing.map(() => bell(random));
    const x = Array.from({ length: depth }, (_, i) => {
      return mixing.reduce((sum, direction, k) => sum + causes[k] * direction[i], 0.3 * bell(random)) * (1 + (i % 5));
    });
    for (let i = 0; i < depth; i++) for (let j = 0; j < depth; j++) gram[i * depth + j] += x[i] * x[j];
  }
  return { matrix: { rows, depth, values }, gram: damped(gram, depth, 0.01) };
}
