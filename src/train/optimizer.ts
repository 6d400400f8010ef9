/** Optimizers: a rule for each weight, and what is kept from step to step, as checkpoints hold it. */
import { bug } from "../error.ts";
import { elementCount, type Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { addAll } from "./kernels/load.ts";
import type { Place } from "./memory.ts";
import { type OptimizerSpec, type Rule, ruleOf } from "./rules.ts";
import type { Weights } from "./step.ts";

export interface Optimizer {
  /**
   * Moves every weight that has a gradient, by the learning rate of this step. Gradients are multiplied by `factor` first, 1 unless
   * said. Where it fails, some weights may have moved and others not.
   */
  update(
    weights: Weights,
    gradients: ReadonlyMap<string, Float32Array>,
    rate: number,
    factor?: number,
  ): void | Promise<void>;
  /** All that a checkpoint needs beside the weights, by name: the arrays themselves, not copies. */
  state(): Map<string, Float32Array>;
  /** Goes on from a state that `state` gave. */
  restore(state: ReadonlyMap<string, Float32Array>): void;
}

/** Names of what a state holds of a weight, or of all of them where `name` is empty. */
function keyOf(kind: string, name: string): string {
  return `${kind}/${name}`;
}

/** Where the number of steps lies in a state. */
const STEPS = keyOf("steps", "");

/** All that a state holds, in its order. */
export function placesOfState(rule: Rule, weights: readonly Place[]): Place[] {
  const kept = weights.flatMap(({ name, shape }) => rule.kinds.map((kind) => ({ name: keyOf(kind, name), shape })));
  return rule.counted ? [{ name: STEPS, shape: [1] }, ...kept] : kept;
}

/** What is kept of a weight, by the rule's kinds. */
export function keptOf(rule: Rule, name: string, state: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return rule.kinds.map((kind) => state.get(keyOf(kind, name)) ?? bug(`no state "${keyOf(kind, name)}"`));
}

/** The optimizer on this thread; its state's arrays are made when first needed. */
export function makeOptimizer(spec: OptimizerSpec): Optimizer {
  const rule = ruleOf(spec);
  let arrays = new Map<string, Float32Array>();
  return {
    state: () => new Map(arrays),
    restore(state) {
      arrays = new Map([...state].map(([name, array]) => [name, array.slice()]));
    },
    update(weights, gradients, rate, factor = 1) {
      const moved = [...gradients.keys()].map((name) => ({ name, shape: weightOf(weights, name).shape }));
      for (const { name, shape } of placesOfState(rule, moved)) {
        const length = elementCount(shape);
        const array = arrays.get(name) ?? new Float32Array(length);
        if (array.length !== length) bug(`the optimizer's state "${name}" has ${array.length} numbers, not ${length}`);
        arrays.set(name, array);
      }
      const move = rule.step({ number: countStep(rule, arrays), rate, factor });
      for (const { name, shape } of moved) {
        const values = valuesOf(weightOf(weights, name)) as Float32Array;
        move({ shape, values, gradient: gradients.get(name) as Float32Array, kept: keptOf(rule, name, arrays) });
      }
    },
  };
}

/** Counts a step in a state. Gives its number, 1 where steps are not counted. */
export function countStep(rule: Rule, state: ReadonlyMap<string, Float32Array>): number {
  if (!rule.counted) return 1;
  const done = state.get(STEPS) ?? bug("a state without the number of steps");
  done[0] += 1;
  return done[0];
}

function weightOf(weights: Weights, name: string): Tensor {
  return weights.get(name) ?? bug(`there is no weight "${name}"`);
}

/** The Euclidean norm of all gradients: finite where all of them are, since no square of a float32 is too large for a double. */
export function normOf(gradients: ReadonlyMap<string, Float32Array>): number {
  return lengthOf([...gradients.values()].map((gradient) => addAll([gradient], 1)));
}

/** The norm by each array's sum of squares. */
export function lengthOf(squares: readonly number[]): number {
  return Math.sqrt(squares.reduce((sum, each) => sum + each, 0));
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
