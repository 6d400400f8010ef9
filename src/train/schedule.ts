/** Functions of the step's number alone: learning rates, and which samples a batch holds. Resuming needs nothing else. */
import { seededRandom } from "../ir/random.ts";

export interface RateSchedule {
  readonly peak: number;
  /** Steps of the whole training. */
  readonly steps: number;
  /** The rate climbs to its peak over this many steps. */
  readonly warmUp?: number;
  /** Half a cosine from the peak to `least`, or the peak to the end. */
  readonly shape?: "cosine" | "constant";
  /** Where the cosine ends; 0 unless said. */
  readonly least?: number;
}

/** The learning rate of step 0, 1, … */
export function rateAt({ peak, steps, warmUp = 0, shape = "cosine", least = 0 }: RateSchedule, step: number): number {
  if (step < warmUp) return (peak * (step + 1)) / warmUp;
  if (shape === "constant") return peak;
  const share = Math.min(1, (step - warmUp) / Math.max(1, steps - warmUp));
  return least + (peak - least) * 0.5 * (1 + Math.cos(Math.PI * share));
}

/** 0 … count − 1 in an order that seed and epoch decide (Fisher and Yates). */
export function epochOrder(count: number, seed: number | string, epoch: number): Uint32Array {
  const random = seededRandom(`${seed}/epoch ${epoch}`);
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const moved = order[last];
    order[last] = order[other];
    order[other] = moved;
  }
  return order;
}

export interface BatchPlan {
  readonly samples: number;
  readonly batch: number;
  readonly seed: number | string;
}

/** The order asked for last: all steps of an epoch ask for the same. */
let latest: { readonly key: string; readonly order: Uint32Array } = { key: "", order: new Uint32Array() };

function orderOf(samples: number, seed: number | string, epoch: number): Uint32Array {
  const key = `${samples} ${epoch} ${seed}`;
  if (latest.key !== key) latest = { key, order: epochOrder(samples, seed, epoch) };
  return latest.order;
}

/** The samples of step 0, 1, …: whole batches of a new order each epoch; what is left of an epoch waits for another one. */
export function batchAt({ samples, batch, seed }: BatchPlan, step: number): { epoch: number; indices: Uint32Array } {
  if (!(batch >= 1 && batch <= samples)) throw new RangeError(`batches of ${batch} from ${samples} samples`);
  const perEpoch = Math.floor(samples / batch);
  const epoch = Math.floor(step / perEpoch);
  const first = (step % perEpoch) * batch;
  return { epoch, indices: orderOf(samples, seed, epoch).slice(first, first + batch) };
}
