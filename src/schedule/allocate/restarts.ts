/**
 * Many short searches in place of a long one: how long a search takes hangs on the order in which it tries buffers, and the
 * times are so widely spread that it pays to give up early and try another. Orders mix size, length of life, pressure and
 * what failed before, in proportions drawn from a fixed seed.
 */
import { seededRandom } from "../../ir/random.ts";
import type { Component, Numbers } from "./component.ts";
import { type Neighbours, Search } from "./search.ts";

/** The shortest search may place all buffers this often. */
const DESCENTS = 2;
/** What of a moment's failures is remembered from one search to the next. */
const MEMORY = 0.9;

/** Luby's sequence 1 1 2 1 1 2 4 …: within a logarithm of the best fixed schedule, whatever the spread of times. */
export function luby(index: number): number {
  let size = 1;
  while (2 ** size - 1 < index) size++;
  return 2 ** size - 1 === index ? 2 ** (size - 1) : luby(index - 2 ** (size - 1) + 1);
}

/** The binary logarithm, straight between powers of two: exact arithmetic only, so the same on every machine. */
export function roughLog(value: number): number {
  let [exponent, rest] = [0, value];
  for (; rest >= 2; rest /= 2) exponent++;
  for (; rest < 1; rest *= 2) exponent--;
  return exponent + rest - 1;
}

/** What orders are mixed from. */
interface Traits {
  readonly life: Float64Array;
  readonly size: Float64Array;
  /** Of the fullest moment that a buffer lives in. */
  readonly pressure: Float64Array;
}

function largestOver({ from, to }: Component, buffer: number, of: ArrayLike<number>): number {
  let most = 0;
  for (let moment = from[buffer]; moment < to[buffer]; moment++) if (of[moment] > most) most = of[moment];
  return most;
}

function traitsOf(component: Component, { alive }: Neighbours): Traits {
  const { sizes, from, to } = component;
  const live = alive.map((buffers) => buffers.reduce((sum, buffer) => sum + sizes[buffer], 0));
  const each = (value: (buffer: number) => number) => Float64Array.from(sizes, (_, buffer) => roughLog(value(buffer)));
  return {
    life: each((buffer) => to[buffer] - from[buffer]),
    size: each((buffer) => sizes[buffer]),
    pressure: each((buffer) => largestOver(component, buffer, live)),
  };
}

/** Buffers in an order drawn at random; `blame`: the failures at each moment, up to 1. */
function drawOrder(
  component: Component,
  traits: Traits,
  blame: Float64Array,
  learn: boolean,
  random: () => number,
): Int32Array {
  const [life, size, noise] = [random(), random(), 2 * random() * random()];
  const learned = learn ? random() : 0;
  const keys = Float64Array.from(component.sizes, (_, buffer) => {
    const blamed = roughLog(largestOver(component, buffer, blame) + 1 / 1024);
    const shape = life * traits.life[buffer] + size * traits.size[buffer];
    return shape + learned * (8 * traits.pressure[buffer] + 2 * blamed) + noise * (random() - 0.5);
  });
  return Int32Array.from(component.sizes.keys()).sort((a, b) => keys[b] - keys[a] || a - b);
}

export interface Attempt {
  readonly outcome: "solved" | "impossible" | "stopped";
  readonly addresses: Numbers;
  readonly steps: number;
}

/** Looks for places below `capacity`, in units, for at most about `most` steps. */
export function attempt(component: Component, capacity: number, neighbours: Neighbours, most: number): Attempt {
  const search = new Search(component, capacity, neighbours);
  const traits = traitsOf(component, neighbours);
  const random = seededRandom(component.sizes.length);
  const blame = new Float64Array(component.moments);
  const each = neighbours.together.reduce((sum, others) => sum + 2 * others.length + component.moments, 0);
  const base = DESCENTS * each;
  let steps = 0;
  for (let run = 1; steps < most; run++) {
    const largest = blame.reduce((a, b) => Math.max(a, b), 0) || 1;
    const scaled = blame.map((failures) => failures / largest);
    const order = drawOrder(component, traits, scaled, run % 3 !== 0, random);
    const found = search.run(order, run % 2 === 0 ? "tightest" : "ranked", Math.min(base * luby(run), most - steps));
    steps += found.steps;
    if (found.outcome !== "stopped") return { outcome: found.outcome, addresses: search.addresses, steps };
    for (let moment = 0; moment < blame.length; moment++) {
      blame[moment] = blame[moment] * MEMORY + search.failures[moment] / found.steps;
    }
  }
  return { outcome: "stopped", addresses: search.addresses, steps };
}
