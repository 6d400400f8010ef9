/** The program checker on all teachers and reference networks, under several targets, and beside an adversary of its own. */
import { readdirSync } from "node:fs";
import { NETWORKS } from "../../bench/backend/networks.ts";
import { make } from "../../src/build.ts";
import { boundOf } from "../../src/checker/bound.ts";
import { checkProgram, summaryOf } from "../../src/checker/check.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { loadRecipe } from "../../src/recipe.ts";
import type { Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

const TARGETS = ["ai3", "ai4", "ai4-parked-charging"];
/** Weights beyond this are not made for it: ranges then follow from the types. */
const MOST_WEIGHTS = 2 ** 29;

export async function* checker(_: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const [name, network] of NETWORKS) {
    const graph = network();
    for (const target of TARGETS)
      yield await attempt(`${name} on ${target}`, async () => judge(graph, loadTarget(target)));
    yield await attempt(`${name} on three NPUs`, async () => judge(graph, loadTarget("ai4"), 3));
    yield await attempt(`${name} in 1 MiB`, async () => judge(graph, loadTarget("ai4", { set: ["sram=1MiB"] })));
  }
  for (const file of readdirSync("recipes").filter((name) => name.endsWith(".yaml"))) {
    yield await attempt(file, async () => {
      const recipe = loadRecipe(`recipes/${file}`);
      const { integer } = await make(recipe);
      const options = { allowCpu: recipe.allowCpu };
      const found = TARGETS.map((target) => judge(integer, loadTarget(target), 1, options));
      return { good: found.every(({ good }) => good), says: found.map(({ says }) => says).join("; ") };
    });
  }
}

function judge(graph: Graph, target: Target, npus = 1, options: object = {}): Omit<Outcome, "name"> {
  const { program } = schedule(graph, target, { ...options, npus });
  const ranges = program.weightBytes > MOST_WEIGHTS ? "types" : "weights";
  if (ranges === "weights") touch(program);
  const begin = process.cpuUsage();
  const verdict = checkProgram(program, target, { ranges });
  const ms = Math.round(process.cpuUsage(begin).user / 1000);
  const [fault] = verdict.faults;
  if (fault)
    return { good: false, says: `${verdict.faults.length} faults: ${fault.kind}: ${fault.where}: ${fault.says}` };
  const { cycles } = timeProgram(program, target);
  const { floorCycles } = boundOf(graph, target, { npus: program.npus });
  const { commands, proven, tightest } = summaryOf(verdict);
  const bits = tightest ? `, tightest ${tightest.bits} of ${tightest.limitBits} bits` : "";
  const says = `${target.name}: ${commands} commands safe, ${proven} ranges from ${ranges}${bits}, ${ms} ms of CPU`;
  if (floorCycles > cycles) return { good: false, says: `${says}; ${cycles} cycles beat the bound of ${floorCycles}` };
  return { good: true, says };
}

/** Weights are made when they are first asked for; that is not the checker's time. */
function touch({ weights }: Program): number {
  return weights.length;
}
