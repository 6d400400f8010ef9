/** What follows a step's gradients, on memory that threads share: their means over the parts, and the optimizer's rule. */
import type { SharedMemory } from "../run/wasm.ts";
import { addAll, kernelsOn } from "./kernels/load.ts";
import { arraysIn, type Room, type Run } from "./memory.ts";
import { keptOf, placesOfState } from "./optimizer.ts";
import { type Move, type OptimizerSpec, ruleOf } from "./rules.ts";

export interface Rooms {
  /** What all rooms are in. */
  readonly memory: SharedMemory;
  readonly shards: number;
  readonly weights: Room;
  /** Each part's, a part after the other. In the end, the first part's are the means of all. */
  readonly gradients: Room;
  /** Four doubles for each of the gradients. */
  readonly sums: Room;
  /** Names of the weights, in the gradients' order. */
  readonly parameters: readonly string[];
}

/** An optimizer's step for some weights. */
export interface MoveRun extends Run, Move {
  readonly spec: OptimizerSpec;
  /** What the optimizer keeps of all weights. */
  readonly state: Omit<Room, "places">;
}

export interface Moves {
  /** Puts the means of some gradients in the place of the first part's. Gives the sum of the squares of each. */
  mean(run: Run): number[];
  move(run: MoveRun): void;
}

/** For any thread: different threads may do different runs at the same time. */
export function movesIn({ memory, shards, weights, gradients, sums, parameters }: Rooms): Moves {
  const parts = Array.from({ length: shards }, (_, part) => [...arraysIn(gradients, part).values()]);
  const values = arraysIn(weights);
  const kernels = kernelsOn(memory);
  const within = [...arraysIn(sums).values()].map(({ buffer, byteOffset }) => {
    return { kernels, sums: new Float64Array(buffer, byteOffset, 4) };
  });
  const moved = parameters.map((name, index) => ({
    ...{ name, shape: gradients.places[index].shape, gradient: parts[0][index] },
    ...{ values: values.get(name) as Float32Array, within: within[index] },
  }));
  const mean = (index: number): number => {
    return addAll(
      parts.map((part) => part[index]),
      shards,
      within[index],
    );
  };
  return {
    mean: ({ from, to }) => Array.from({ length: to - from }, (_, at) => mean(from + at)),
    move(run) {
      const rule = ruleOf(run.spec);
      const state = arraysIn({ ...run.state, places: placesOfState(rule, moved) });
      const move = rule.step(run);
      for (const weight of moved.slice(run.from, run.to)) {
        move({ ...weight, kept: keptOf(rule, weight.name, state) });
      }
    },
  };
}
