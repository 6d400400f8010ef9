import { describe, expect, it } from "vitest";
import { adamW, addDivided, sgd } from "../../src/train/kernels/load.ts";

/** More than lie in the kernels' memory at once, and no whole number of lanes. */
const LENGTH = 2 * 4096 + 3;
const drawn = (scale: number, turn: number): Float32Array =>
  Float32Array.from({ length: LENGTH }, (_, at) => scale * Math.sin(at * at + turn));

describe("kernels of a training step", () => {
  it("add and divide to the bits of plain float32", () => {
    for (const divisor of [1, 2, 3, 7]) {
      const [sums, values] = [drawn(1, 0), drawn(1e-3, 1)];
      const wanted = sums.map((sum, at) => Math.fround(sum + values[at]) / divisor);
      const apart = new Float32Array(LENGTH);
      addDivided(sums, values, divisor, apart);
      addDivided(sums, values, divisor, sums);
      expect([apart, sums]).toEqual([wanted, wanted]);
    }
  });

  it.each([false, true])("step by SGD to the bits of the plain formula, Nesterov's: %s", (nesterov) => {
    const [momentum, decay, rate] = [0.9, 0.05, 0.013];
    const [weights, gradients, speeds] = [drawn(1, 0), drawn(0.1, 1), drawn(0.3, 2)];
    const [w, v] = [weights.slice(), speeds.slice()];
    for (let at = 0; at < LENGTH; at++) {
      const pull = gradients[at] + decay * w[at];
      const speed = momentum * v[at] + pull;
      v[at] = speed;
      w[at] -= rate * (nesterov ? pull + momentum * speed : speed);
    }
    sgd([weights, gradients, speeds], { momentum, decay, rate, nesterov });
    expect([weights, speeds]).toEqual([w, v]);
  });

  it("step by AdamW to the bits of the formula in float32", () => {
    const numbers = { first: 0.9, second: 0.999, shrink: 0.999, scale: 0.02, spread: 11.3, epsilon: 1e-8 };
    const { first, second, shrink, scale, spread, epsilon } = numbers;
    const [weights, gradients, means] = [drawn(1, 0), drawn(0.1, 1), drawn(0.1, 2)];
    const squares = drawn(0.01, 3).map(Math.abs);
    const [w, m, s] = [weights.slice(), means.slice(), squares.slice()];
    const f = Math.fround;
    const [b1, n1, b2, n2] = [first, 1 - first, second, 1 - second].map(f);
    for (let at = 0; at < LENGTH; at++) {
      const g = gradients[at];
      m[at] = f(b1 * m[at]) + f(n1 * g);
      s[at] = f(b2 * s[at]) + f(f(n2 * g) * g);
      const spreads = f(f(f(Math.sqrt(s[at])) * f(spread)) + f(epsilon));
      w[at] = f(w[at] * f(shrink)) - f(f(f(scale) * m[at]) / spreads);
    }
    adamW([weights, gradients, means, squares], numbers);
    expect([weights, means, squares]).toEqual([w, m, s]);
  });
});
