import { expect, test } from "vitest";
import { seededRandom } from "../../../src/ir/random.ts";
import { cascadeProblems } from "../../../src/schedule/cascade/choose.ts";
import { bestCuts, type CutProblem } from "../../../src/schedule/cascade/cuts.ts";
import { lowerGraph } from "../../../src/schedule/lower.ts";
import { addTransfers } from "../../../src/schedule/transfers.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { placement } from "../../../src/target/placement.ts";
import { type Draw, drawFrom } from "../../emulate/cases.ts";
import { deepNetwork } from "../deep-network.ts";

/** Every way to cut and every place for every tensor, one after the other. */
function bruteForce({ jobs, crossing, reach, cost }: CutProblem): number {
  const tensors = [...new Set(crossing.flat())];
  let best = Number.POSITIVE_INFINITY;
  for (let places = 0; places < 1 << tensors.length; places++) {
    const bits = (cut: number) =>
      crossing[cut].reduce((mask, tensor, bit) => mask | (((places >> tensors.indexOf(tensor)) & 1) << bit), 0);
    for (let cuts = 0; cuts < 1 << (jobs - 1); cuts++) {
      let total = 0;
      let from = 0;
      for (let to = 1; to <= jobs; to++) {
        if (to < jobs && ((cuts >> (to - 1)) & 1) === 0) continue;
        total += to <= reach[from] ? cost(from, to, bits(from), bits(to)) : Number.POSITIVE_INFINITY;
        from = to;
      }
      best = Math.min(best, total);
    }
  }
  return best;
}

/** A graph whose tensors live as they like, with costs drawn from a hat. */
function randomProblem(draw: Draw): CutProblem {
  const jobs = draw.int(1, 7);
  const crossing: number[][] = Array.from({ length: jobs + 1 }, () => []);
  for (let tensor = 0; tensor < draw.int(0, 5); tensor++) {
    const first = draw.int(0, jobs - 1);
    for (let cut = first + 1; cut <= Math.min(jobs - 1, first + draw.int(1, 3)); cut++) crossing[cut].push(tensor);
  }
  const costs = new Map<string, number>();
  return {
    jobs,
    crossing,
    reach: Array.from({ length: jobs }, (_, from) => draw.int(from + 1, jobs)),
    cost: (...given) => {
      const key = given.join();
      const known = costs.get(key) ?? (draw.int(0, 9) === 0 ? Number.POSITIVE_INFINITY : draw.int(1, 100));
      costs.set(key, known);
      return known;
    },
  };
}

test("cuts and places are the cheapest that there are", () => {
  for (let seed = 0; seed < 200; seed++) {
    const problem = randomProblem(drawFrom(seededRandom(`cuts ${seed}`)));
    const found = bestCuts(problem);
    expect(found?.cost ?? Number.POSITIVE_INFINITY, `seed ${seed}`).toBe(bruteForce(problem));
    if (!found) continue;
    expect(
      found.segments.reduce((sum, { from, to, before, after }) => sum + problem.cost(from, to, before, after), 0),
    ).toBe(found.cost);
  }
});

test("cascades of small networks are the cheapest that there are", () => {
  let compared = 0;
  let cascades = 0;
  for (const set of ["sram=1500", "sram=4KiB"]) {
    const target = loadTarget("ai4", { set: [set] });
    for (let seed = 0; seed < 60; seed++) {
      const draw = drawFrom(seededRandom(`small ${seed}`));
      const graph = deepNetwork(draw, draw.int(2, 5));
      const lowered = lowerGraph(graph, placement(graph, target, { allowCpu: false }), new Map());
      const { jobs } = addTransfers(graph, lowered, target.sram.bytes);
      const problem = cascadeProblems(jobs, target)(0.9);
      if (jobs.length > 10 || new Set(problem.crossing.flat()).size > 7) continue;
      const found = bestCuts(problem);
      expect(found?.cost ?? Number.POSITIVE_INFINITY, `seed ${seed}`).toBeCloseTo(bruteForce(problem), 6);
      compared++;
      if (found && problem.choice(found.segments)) cascades++;
    }
  }
  expect(compared).toBeGreaterThan(50);
  expect(cascades).toBeGreaterThan(10);
});
