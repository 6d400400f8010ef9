/**
 * Optimizers on typed arrays, in place. SGD's arithmetic is double, rounded once a stored number, AdamW's float32, and nothing
 * but + − · / √ is used: the same gradients give the same weights on every machine. (As nodes of the step's graph they would have to be
 * fed all states and give them back every step; here they stay where they are.)
 */
import { bug } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { adamW, sgd } from "./kernels/load.ts";
import type { Weights } from "./step.ts";

export interface Sgd {
  readonly kind: "sgd";
  /** 0.9 unless said. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

export interface AdamW {
  readonly kind: "adamw";
  /** 0.9 and 0.999 unless said. */
  readonly betas?: readonly [number, number];
  /** 1e-8 unless said. */
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

export type OptimizerSpec = Sgd | AdamW;

export interface Optimizer {
  /** Moves every weight that has a gradient, by the learning rate of this step. */
  update(weights: Weights, gradients: ReadonlyMap<string, Float32Array>, rate: number): void;
  /** All that a checkpoint needs beside the weights, by name: the arrays themselves, not copies. */
  state(): Map<string, Float32Array>;
  /** Goes on from a state that `state` gave. */
  restore(state: ReadonlyMap<string, Float32Array>): void;
}

/** Weight decay is for matrices and kernels; scales, shifts and biases have one axis and are left alone. */
function decays({ shape }: Tensor): boolean {
  return shape.length > 1;
}

export function makeOptimizer(spec: OptimizerSpec): Optimizer {
  return spec.kind === "sgd" ? makeSgd(spec) : makeAdamW(spec);
}

/** The arrays that an optimizer keeps for each weight, made when first asked for. */
function keeping() {
  let arrays = new Map<string, Float32Array>();
  return {
    of(kind: string, name: string, length: number): Float32Array {
      const key = `${kind}/${name}`;
      const array = arrays.get(key) ?? new Float32Array(length);
      if (array.length !== length) bug(`the optimizer's state of "${name}" has ${array.length} numbers, not ${length}`);
      arrays.set(key, array);
      return array;
    },
    state: () => new Map(arrays),
    restore(state: ReadonlyMap<string, Float32Array>): void {
      arrays = new Map([...state].map(([name, array]) => [name, array.slice()]));
    },
  };
}

function floatsOf(weights: Weights, name: string): Float32Array {
  const tensor = weights.get(name) ?? bug(`there is no weight "${name}"`);
  return valuesOf(tensor) as Float32Array;
}

/** `v ← μ·v + g + λ·w; w ← w − η·v`, with Nesterov's `w ← w − η·(g + λ·w + μ·v)`. */
function makeSgd({ momentum = 0.9, nesterov = false, weightDecay = 0 }: Sgd): Optimizer {
  const kept = keeping();
  return {
    state: kept.state,
    restore: kept.restore,
    update(weights, gradients, rate) {
      for (const [name, gradient] of gradients) {
        const values = floatsOf(weights, name);
        const decay = decays(weights.get(name) as Tensor) ? weightDecay : 0;
        const speed = kept.of("momentum", name, values.length);
        sgd([values, gradient, speed], { momentum, decay, rate, nesterov });
      }
    },
  };
}

/** Loshchilov and Hutter's AdamW: decay apart from the moments, both moments corrected for having begun at zero. */
function makeAdamW({ betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 }: AdamW): Optimizer {
  const kept = keeping();
  const [first, second] = betas;
  return {
    state: kept.state,
    restore: kept.restore,
    update(weights, gradients, rate) {
      const done = kept.of("steps", "", 1);
      done[0] += 1;
      const scale = rate / (1 - power(first, done[0]));
      const spread = 1 / Math.sqrt(1 - power(second, done[0]));
      for (const [name, gradient] of gradients) {
        const values = floatsOf(weights, name);
        const shrink = 1 - (decays(weights.get(name) as Tensor) ? rate * weightDecay : 0);
        const means = kept.of("mean", name, values.length);
        const squares = kept.of("square", name, values.length);
        adamW([values, gradient, means, squares], { first, second, shrink, scale, spread, epsilon });
      }
    },
  };
}

/** base^exponent by squaring: Math.pow differs between versions of Node. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let [factor, left] = [base, exponent]; left > 0; left = Math.floor(left / 2), factor *= factor) {
    if (left % 2 === 1) result *= factor;
  }
  return result;
}

/** Their common Euclidean norm: finite where all of them are, since no square of a float32 is too large for a double. */
export function normOf(gradients: ReadonlyMap<string, Float32Array>): number {
  let squares = 0;
  for (const gradient of gradients.values()) {
    // Four sums side by side: a single one waits for each of its additions.
    let [a, b, c, d] = [0, 0, 0, 0];
    const whole = gradient.length - (gradient.length % 4);
    for (let at = 0; at < whole; at += 4) {
      a += gradient[at] * gradient[at];
      b += gradient[at + 1] * gradient[at + 1];
      c += gradient[at + 2] * gradient[at + 2];
      d += gradient[at + 3] * gradient[at + 3];
    }
    for (let at = whole; at < gradient.length; at++) a += gradient[at] * gradient[at];
    squares += a + b + (c + d);
  }
  return Math.sqrt(squares);
}

/** Scales all gradients so that their common norm, which is `norm`, is at most `most`. */
export function scaleGradients(gradients: ReadonlyMap<string, Float32Array>, norm: number, most: number): void {
  if (!(norm > most)) return;
  const factor = most / norm;
  for (const gradient of gradients.values()) for (let at = 0; at < gradient.length; at++) gradient[at] *= factor;
}

/** Moves an average of weights towards the weights: `a ← d·a + (1 − d)·w`. Names that the average lacks are copied. */
export function moveAverage(average: Weights, weights: Weights, decay: number): void {
  for (const [name, tensor] of weights) {
    const now = valuesOf(tensor) as Float32Array;
    const before = average.get(name);
    if (before === undefined) {
      average.set(name, { ...tensor, data: now.slice() });
      continue;
    }
    const values = valuesOf(before) as Float32Array;
    for (let at = 0; at < values.length; at++) values[at] = decay * values[at] + (1 - decay) * now[at];
  }
}
