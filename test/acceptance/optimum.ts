/** Small graphs against the best of every schedule in a space: none is more than 2 % longer. Prints its figures as one JSON line. */
import { type Judged, judge } from "../optimum/judge.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

const GRAPHS = 200;
/** Unless `first` says otherwise. */
const FIRST_SEED = 10_000;
const LARGEST_RATIO = 1.02;

/** `samples`: graphs; `first`: the seed of the first one. */
export async function* optimum({ samples = GRAPHS, first = FIRST_SEED }: AcceptanceOptions): AsyncIterable<Outcome> {
  const judged: (Judged & { readonly seed: number })[] = [];
  for (let seed = first; seed < first + samples; seed++) {
    const outcome = await attempt(`graph ${seed}`, async () => {
      const found = judge(seed);
      judged.push({ ...found, seed });
      const { small, cycles, optimum: best, ratio } = found;
      const says = `${small.layers} layers on ai4 ${small.set.join(" ")}: ${cycles} cycles, the best of ${best.plans} plans ${best.cycles}`;
      return { good: ratio <= LARGEST_RATIO, says: `${says}, ratio ${ratio.toFixed(4)}` };
    });
    if (!outcome.good) yield outcome;
  }
  const sum = (of: (one: Judged) => number) => judged.reduce((total, one) => total + of(one), 0);
  const worst = judged.reduce((most, one) => (one.ratio > most.ratio ? one : most));
  const figures = {
    acceptance: "optimum",
    first,
    graphs: judged.length,
    within2Percent: judged.filter(({ ratio }) => ratio <= LARGEST_RATIO).length,
    worstRatio: Number(worst.ratio.toFixed(4)),
    worstSeed: worst.seed,
    meanRatio: Number((sum(({ ratio }) => ratio) / judged.length).toFixed(4)),
    plans: sum(({ optimum: { plans } }) => plans),
    timed: sum(({ optimum: { timed } }) => timed),
    tooLargeAndDrawnAgain: sum(({ passed }) => passed),
  };
  console.log(JSON.stringify(figures));
  const good = figures.within2Percent === samples;
  yield { name: "all graphs", good, says: `${figures.within2Percent} of ${samples} within 2 %` };
}
