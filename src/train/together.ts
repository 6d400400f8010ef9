/** A step's parts on worker threads. Weights, gradients and the optimizer's state lie in memory that all threads see. */
import { bug } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { openCrew } from "../run/pool.ts";
import { MOST_BYTES, sharedMemory } from "../run/wasm.ts";
import { arraysIn, type Place, type Run, roomIn, runsOf, sizeOf } from "./memory.ts";
import { movesIn, type Rooms } from "./moves.ts";
import { countStep, lengthOf, type Optimizer, placesOfState } from "./optimizer.ts";
import { type OptimizerSpec, ruleOf } from "./rules.ts";
import type { ShardItem, ShardResult, ShardSetUp } from "./shard-worker.ts";
import type { ShardOptions } from "./shards.ts";
import { byParameter, type PartResult, placesOf, type StepPlan, type Weights } from "./step.ts";

export type Batch = ReadonlyMap<string, Tensor>;

/** Who computes the parts of a step. */
export interface Parts {
  /** By parameter: after a run, the means of all parts' gradients. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What the parts give, in order, and the norm of the gradients' means. */
  run(batches: readonly Batch[], weights: Weights): Promise<{ results: PartResult[]; norm: number }>;
  optimizer(spec: OptimizerSpec): Optimizer;
  release(): Promise<void>;
}

/** With fewer parameters, the way to the threads and back, twice a step, takes longer than one thread takes for all of them. */
const WORTH_SHARING = 2 ** 19;

/** All are waited for before anything is thrown: weights must not change under a worker. */
async function all<Item, Result>(
  items: readonly Item[],
  run: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const running = items.map(run);
  await Promise.allSettled(running);
  return Promise.all(running);
}

/** Weights and statistics that the graph reads. */
function carriedBy({ graph }: StepPlan, { parameters, statistics = [] }: ShardOptions): Place[] {
  const inputs = new Set(graph.inputs);
  return placesOf(
    graph,
    [...parameters, ...statistics.map(({ name }) => name)].filter((name) => inputs.has(name)),
  );
}

/** Can one memory hold weights, gradients of all parts, two arrays of state a weight, and what is small beside them? */
export function fitsTogether(plan: StepPlan, options: ShardOptions): boolean {
  const numbers = sizeOf(carriedBy(plan, options)) + (options.shards + 3) * sizeOf(plan.gradients);
  return 4 * numbers <= MOST_BYTES;
}

/**
 * Three phases, each on all workers: the parts' gradients; the means, a run of whole parameters a worker; the optimizer's step on the
 * same runs. (The last two on this thread where there are few parameters.) A weight's array is replaced by one in shared memory when it is first seen, so that nothing is copied later on
 * but what somebody has replaced since.
 */
export function together(plan: StepPlan, options: ShardOptions, workers: number): Parts {
  const { parameters, threads = 1, shards, shareFrom = WORTH_SHARING } = options;
  const inputs = new Set(plan.graph.inputs);
  const memory = sharedMemory();
  const seen = roomIn(memory, carriedBy(plan, options));
  const results = roomIn(memory, plan.gradients, shards);
  const sums = roomIn(
    memory,
    plan.gradients.map(({ name }) => ({ name, shape: [8] })),
  );
  const rooms: Rooms = { memory, shards, weights: seen, gradients: results, sums, parameters };
  const crew = openCrew<ShardSetUp, ShardItem, ShardResult>(
    workers,
    new URL(import.meta.url.endsWith(".ts") ? "./shard-worker.ts" : "./shard-worker.js", import.meta.url),
    { model: plan.model(), threads, ...rooms },
  );
  const written = arraysIn(seen);
  const adopt = (weights: Weights): void => {
    for (const [name, array] of written) {
      const tensor = weights.get(name) ?? bug(`there is no weight "${name}"`);
      if (tensor.data === array) continue;
      array.set(valuesOf(tensor) as Float32Array);
      weights.set(name, { ...tensor, data: array });
    }
  };
  const alone = sizeOf(plan.gradients) < shareFrom;
  const runs = runsOf(plan.gradients, alone ? 1 : workers);
  const here = movesIn(rooms);
  const mean = async (run: Run): Promise<readonly number[]> => {
    return alone ? here.mean(run) : (await crew.run({ kind: "mean", ...run })).squares;
  };
  const means = byParameter(parameters, arraysIn(results));
  return {
    gradients: means,
    async run(batches, weights) {
      adopt(weights);
      const parts = await all(batches, (batch, index) => {
        return crew.run({ kind: "part", index, batch: new Map([...batch].filter(([name]) => inputs.has(name))) });
      });
      const squares = await all(runs, mean);
      return {
        results: parts.map(({ outputs }) => plan.result(outputs)),
        norm: lengthOf(squares.flat()),
      };
    },
    optimizer(spec) {
      const rule = ruleOf(spec);
      const places = plan.gradients.map(({ shape }, index) => ({ name: parameters[index], shape }));
      const room = roomIn(memory, placesOfState(rule, places));
      const { places: _, ...state } = room;
      const kept = arraysIn(room);
      return {
        async update(weights, gradients, rate, factor = 1) {
          adopt(weights);
          for (const [name, mean] of means) if (gradients.get(name) !== mean) bug(`another gradient of "${name}"`);
          const move = { spec, state, rate, factor, number: countStep(rule, kept) };
          await all(runs, async (run) => {
            if (alone) here.move({ ...move, ...run });
            else await crew.run({ kind: "move", ...move, ...run });
          });
        },
        state: () => new Map(kept),
        restore(from) {
          for (const [name, array] of kept) array.set(from.get(name) ?? new Float32Array(array.length));
        },
      };
    },
    release: () => crew.close(),
  };
}
