/** The analytic worst case under attack: 10,000 runs a program, on networks and random graphs, under several descriptions. */
import { NETWORKS } from "../../bench/backend/networks.ts";
import { fixOrder } from "../../src/emulate/contention/fixed-order.ts";
import { interferenceOf } from "../../src/emulate/contention/interference.ts";
import { worstCaseOf } from "../../src/emulate/contention/worst-case.ts";
import { timelineOf } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { attack } from "../emulate/attack.ts";
import { drawFrom } from "../emulate/cases.ts";
import { randomGraph } from "../emulate/random-graph.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

const RUNS = 10_000;
const LARGEST_RATIO = 1.3;
const NO_SLOTS = "profiles.driving.slots.share=0.0000001";
const DESCRIPTIONS: readonly (readonly string[])[] = [[], [NO_SLOTS], [NO_SLOTS, "dram.GBps=60", "sram=4MiB"]];
const GRAPHS = 20;

/** Programs of several NPUs are attacked too. */
const SPLIT = ["resnet50", "yolov8n", "gpt-1.5b-decode"];

/** `samples`: runs of each attack. */
export async function* worstCase({ samples = RUNS }: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const name of ["ai3", "ai4"]) {
    for (const set of name === "ai3" ? [[]] : DESCRIPTIONS) {
      for (const [network, make] of NETWORKS) {
        yield await attempt(`${network} on ${[name, ...set].join(" ")}`, async () => hold(make(), name, set, samples));
      }
    }
  }
  for (const network of SPLIT) {
    const make = NETWORKS.get(network);
    if (make) yield await attempt(`${network} on 3 NPUs of ai4`, async () => hold(make(), "ai4", [], samples, 3));
  }
  for (let seed = 0; seed < GRAPHS; seed++) {
    const draw = drawFrom(seededRandom(`worst case ${seed}`));
    const share = draw.pick(["0.0000001", "0.1", "0.5"]);
    const set = [
      draw.pick(["sram=48KiB", "sram=256KiB", "sram=32MiB"]),
      draw.pick(["dram.GBps=60", "dram.GBps=112", "dram.GBps=224"]),
      `profiles.driving.slots.share=${share}`,
      draw.pick(["profiles.driving.slots.periodMs=0.02", "profiles.driving.slots.periodMs=1"]),
      draw.pick(["profiles.driving.otherClients.GBps=5", "profiles.driving.otherClients.GBps=30"]),
      draw.pick(["profiles.driving.otherClients.burstBytes=32KiB", "profiles.driving.otherClients.burstBytes=2MiB"]),
    ];
    const { graph } = randomGraph(draw, draw.int(3, 40));
    yield await attempt(`random graph ${seed} on ai4 ${set.join(" ")}`, async () => hold(graph, "ai4", set, samples));
  }
}

function hold(graph: Graph, name: string, set: readonly string[], runs: number, npus = 1): Omit<Outcome, "name"> {
  const target = loadTarget(name, { set });
  const timeline = timelineOf(schedule(graph, target, { npus }).program, target, { profile: "driving" });
  const interference = interferenceOf(target, "driving");
  const fixed = fixOrder(timeline, interference);
  const bound = worstCaseOf(fixed, interference).cycles;
  const { worst } = attack(fixed, interference, runs, 1);
  const good = worst <= bound && bound <= LARGEST_RATIO * worst;
  const figures = `nominal ${timeline.simulation.cycles}, worst of ${runs} ${Math.round(worst)}, bound ${bound}`;
  return { good, says: `${figures}: ${(bound / worst).toFixed(3)} ×` };
}
