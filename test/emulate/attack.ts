/** An adversary that searches for the worst behaviour of the rest of the chip that its regulators allow. */
import type { FixedOrder } from "../../src/emulate/contention/fixed-order.ts";
import type { Interference } from "../../src/emulate/contention/interference.ts";
import { createReplay } from "../../src/emulate/contention/replay.ts";
import type { Scenario } from "../../src/emulate/contention/world.ts";
import { drawScenario } from "../../src/emulate/contention.ts";
import { seededRandom } from "../../src/ir/random.ts";

export interface Attack {
  readonly worst: number;
  readonly runs: number;
}

/**
 * A third of the runs is drawn as the sampler draws; the rest climbs from the worst so far, and from others who know our
 * transfers: phases move, bursts move, begin and end elsewhere, transfers are spared or hit. Worse is kept.
 */
export function attack(fixed: FixedOrder, interference: Interference, runs: number, seed: number): Attack {
  const replay = createReplay(fixed, interference);
  const random = seededRandom(seed);
  const transfers = fixed.demand.reduce((sum, demand) => sum + (demand > 0 ? 1 : 0), 0);
  const quiet = { refreshPhase: 0, slotPhase: 0 };
  let best: Scenario = { ...quiet, others: { transfers: new Uint8Array(transfers).fill(1) } };
  let worst = replay(best);
  const horizon = 4 * worst;
  const consider = (scenario: Scenario): void => {
    const cycles = replay(scenario);
    if (cycles > worst) [worst, best] = [cycles, scenario];
  };
  consider({ ...quiet, others: { times: Float64Array.of(0, horizon) } });
  for (let run = 2; run < runs; run++) {
    const explore = run % 3 === 0;
    consider(explore ? drawScenario(interference, horizon, random) : mutate(best, interference, horizon, random));
  }
  return { worst, runs };
}

function mutate(from: Scenario, { refresh, slots }: Interference, horizon: number, random: () => number): Scenario {
  const near = (value: number, span: number) => value + (random() - 0.5) * span * random() ** 3;
  const choice = random();
  if (choice < 0.2) return { ...from, refreshPhase: Math.abs(near(from.refreshPhase, refresh.interval)) };
  if (choice < 0.4) return { ...from, slotPhase: Math.abs(near(from.slotPhase, slots.period)) };
  if ("transfers" in from.others) {
    const transfers = from.others.transfers.slice();
    const begin = Math.floor(random() * transfers.length);
    transfers.fill(random() < 0.5 ? 0 : 1, begin, begin + 1 + Math.floor(random() ** 3 * 20));
    return { ...from, others: { transfers } };
  }
  const times = Float64Array.from(from.others.times, (time) =>
    random() < 0.1 ? Math.max(0, near(time, 0.1 * horizon)) : time,
  ).sort();
  return { ...from, others: { times } };
}
