/**
 * Optimizers' arithmetic on typed arrays, in place. SGD's is double, rounded once a stored number, AdamW's float32, and nothing
 * but + − · / √ is used: the same gradients give the same weights on every machine. (As nodes of the step's graph they would have to be
 * fed all states and give them back every step; here they stay where they are.)
 */
import { adamW, sgd, type Within } from "./kernels/load.ts";

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

/** What a step of an optimizer is told: its number, 1 for the first one, the learning rate, and what gradients are multiplied by. */
export interface Move {
  readonly number: number;
  readonly rate: number;
  readonly factor: number;
}

/** A weight's numbers, its gradient, and what is kept of it, by the rule's kinds. */
export interface Moved {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  readonly kept: readonly Float32Array[];
  /** Where all of these lie in the memory of some kernels. */
  readonly within?: Within;
}

/** An optimizer's arithmetic, weight by weight: where the arrays lie, and which thread moves them, is not its business. */
export interface Rule {
  /** What is kept of each weight from step to step: as many numbers as it has, zeros at first. */
  readonly kinds: readonly string[];
  /** Does a state hold the number of steps that were done? */
  readonly counted: boolean;
  /** One step, which changes values and what is kept in place. */
  step(move: Move): (weight: Moved) => void;
}

export function ruleOf(spec: OptimizerSpec): Rule {
  return spec.kind === "sgd" ? sgdRule(spec) : adamWRule(spec);
}

/** Weight decay is for matrices and kernels; scales, shifts and biases have one axis and are left alone. */
function decays({ shape }: Moved): boolean {
  return shape.length > 1;
}

/** `v ← μ·v + g + λ·w; w ← w − η·v`, with Nesterov's `w ← w − η·(g + λ·w + μ·v)`. */
function sgdRule({ momentum = 0.9, nesterov = false, weightDecay = 0 }: Sgd): Rule {
  return {
    kinds: ["momentum"],
    counted: false,
    step: (move) => (weight) => {
      const decay = decays(weight) ? weightDecay : 0;
      sgd([weight.values, weight.gradient, weight.kept[0]], { ...move, momentum, decay, nesterov }, weight.within);
    },
  };
}

/** Loshchilov and Hutter's AdamW: decay apart from the moments, both moments corrected for having begun at zero. */
function adamWRule({ betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 }: AdamW): Rule {
  const [first, second] = betas;
  return {
    kinds: ["mean", "square"],
    counted: true,
    step({ number, rate, factor }) {
      const scale = rate / (1 - power(first, number));
      const spread = 1 / Math.sqrt(1 - power(second, number));
      return (weight) => {
        const shrink = 1 - (decays(weight) ? rate * weightDecay : 0);
        const [means, squares] = weight.kept;
        const arrays = [weight.values, weight.gradient, means, squares] as const;
        adamW(arrays, { first, second, shrink, scale, spread, epsilon, factor }, weight.within);
      };
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
