/** How long a program takes among others: drawn by seed, and at worst. */
import { seededRandom } from "../ir/random.ts";
import type { Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { fixOrder } from "./contention/fixed-order.ts";
import { type Interference, interferenceOf } from "./contention/interference.ts";
import { createReplay, type Replay, replayInFull } from "./contention/replay.ts";
import type { Scenario } from "./contention/world.ts";
import { worstCaseOf } from "./contention/worst-case.ts";
import { type Timeline, type TimingOptions, timelineOf } from "./timing.ts";

export interface Contention {
  readonly seed: number;
  /** Cycles of every run, in the order drawn. */
  readonly drawn: readonly number[];
  /** Nobody else, the first refresh after half of its interval, with refreshes, turnarounds and row misses one by one. */
  readonly aloneCycles: number;
  readonly medianCycles: number;
  readonly p99Cycles: number;
  /** Of the runs drawn. */
  readonly longestCycles: number;
  /** Never exceeded under the assumptions; absent where the others may take all of the DRAM. */
  readonly worstCaseCycles?: number;
  readonly assumptions: readonly string[];
}

export interface ContentionOptions extends TimingOptions {
  readonly runs?: number;
  readonly seed?: number;
}

const RUNS = 200;
/** Of the others in one run: finer ones are not drawn. */
const MOST_TURNS = 10_000;

/** Throws what timelineOf throws. */
export function contend(program: Program, target: Target, options: ContentionOptions = {}): Contention {
  return contendFor(timelineOf(program, target, options), target, options);
}

export function contendFor(timeline: Timeline, target: Target, options: ContentionOptions = {}): Contention {
  const { runs = RUNS, seed = 0, profile = target.defaultProfile } = options;
  const { interference, fixed, worst, horizon } = surroundingsOf(timeline, target, profile);
  const replay = createReplay(fixed, interference);
  const random = seededRandom(seed);
  const drawn = Array.from({ length: runs }, () => Math.ceil(replay(drawScenario(interference, horizon, random))));
  const found = Float64Array.from(drawn).sort();
  const quantile = (share: number) => found[Math.max(0, Math.ceil(share * runs) - 1)] ?? 0;
  const quiet = {
    refreshPhase: interference.refresh.interval / 2,
    slotPhase: 0,
    others: { times: new Float64Array() },
  };
  const alone = createReplay(fixed, { ...interference, ...NOBODY })(quiet);
  return {
    drawn,
    seed,
    aloneCycles: Math.ceil(alone),
    medianCycles: quantile(0.5),
    p99Cycles: quantile(0.99),
    longestCycles: quantile(1),
    ...(Number.isFinite(worst) && { worstCaseCycles: worst }),
    assumptions: assumptionsOf(target, profile),
  };
}

/** The n-th of the runs that contendFor draws, from 1 on, command by command. */
export function drawnRun(timeline: Timeline, target: Target, number: number, options: ContentionOptions = {}): Replay {
  const { seed = 0, profile = target.defaultProfile } = options;
  const { interference, fixed, horizon } = surroundingsOf(timeline, target, profile);
  const random = seededRandom(seed);
  for (let before = 1; before < number; before++) drawScenario(interference, horizon, random);
  return replayInFull(fixed, interference, drawScenario(interference, horizon, random));
}

/** The program in its fixed order, who is around it, and for how long others have to be drawn. */
function surroundingsOf(timeline: Timeline, target: Target, profile: string) {
  const interference = interferenceOf(target, profile);
  const fixed = fixOrder(timeline, interference);
  const worst = worstCaseOf(fixed, interference).cycles;
  return { interference, fixed, worst, horizon: Number.isFinite(worst) ? worst : 16 * timeline.simulation.cycles };
}

const NOBODY = { others: { share: 0, burst: 0, grain: 0 }, slots: { period: 1, length: 0 } };

/**
 * Phases anywhere, and others who are active and rest in turns of any length up to a drawn one: from a steady trickle to
 * a few large bursts. While they are active they take all that the regulator lets pass.
 */
export function drawScenario(
  { refresh, others, slots }: Interference,
  horizon: number,
  random: () => number,
): Scenario {
  const refreshPhase = random() * refresh.interval;
  const slotPhase = random() * slots.period;
  // As long as a burst fills, up to a hundred times as long.
  const fill = others.share > 0 ? others.burst / others.share : horizon;
  const turn = Math.max(fill * (0.1 + 100 * random() ** 3), horizon / MOST_TURNS);
  const active = random();
  const times: number[] = [];
  for (let at = random() * turn * (1 - active); at < horizon; ) {
    const until = at + 2 * random() * turn * active;
    times.push(at, until);
    at = until + 2 * random() * turn * (1 - active);
  }
  return { refreshPhase, slotPhase, others: { times: Float64Array.from(times) } };
}

/** What the worst case stands on, a sentence each. */
export function assumptionsOf(target: Target, profileName: string): string[] {
  const { timing } = target.dram;
  const { otherClients, slots } = target.profiles[profileName] ?? {};
  const found = [
    "every engine keeps the program's order, and the DRAM serves our transfers in the order of the run without others",
    `array, vector unit, DMA and host take the cycles of the description of ${target.name} at ${target.clockGHz} GHz`,
  ];
  if (timing === undefined) found.push("the DRAM gives its sustained bandwidth steadily");
  else {
    const { refreshNs, refreshIntervalNs, turnaroundNs, rowMissNs } = timing;
    found.push(`the DRAM refreshes ${refreshNs} ns in every ${refreshIntervalNs} ns, at any phase`);
    found.push(`a turnaround costs ${turnaroundNs} ns, a row beyond those of a stream ${rowMissNs} ns`);
  }
  if (otherClients === undefined) found.push("nobody else uses the DRAM");
  else {
    const { GBps, burstBytes, grainBytes } = otherClients;
    const pieces = `in pieces of ${grainBytes} B that each cost two turnarounds and a row`;
    found.push(`in any time t others get at most ${burstBytes} B + ${GBps} GB/s · t of the DRAM, before us, ${pieces}`);
  }
  if (slots === undefined) found.push("the NPUs are ours all the time");
  else
    found.push(
      `other programs have the NPUs for ${slots.share * slots.periodMs} ms in every ${slots.periodMs} ms, at any phase`,
    );
  return found;
}
