/** The back end on its reference networks: how near schedules come to the bound, and how fast the machine executes. */
import { boundOf } from "../src/emulate/bound.ts";
import type { AnyArray } from "../src/emulate/machine/memory.ts";
import { createMachine } from "../src/emulate/machine.ts";
import { timeProgram } from "../src/emulate/timing.ts";
import { elementCount } from "../src/ir/graph.ts";
import { seededRandom } from "../src/ir/random.ts";
import { encodeProgram } from "../src/schedule/encode.ts";
import type { Program } from "../src/schedule/program.ts";
import { schedule } from "../src/schedule/schedule.ts";
import { loadTarget } from "../src/target/load.ts";
import { NETWORKS } from "./backend/networks.ts";

/** Names of networks and settings of the target (`sram=1MiB`); all networks where none is named. */
const given = process.argv.slice(2);
const target = loadTarget("ai4", { set: given.filter((text) => text.includes("=")) });
const named = given.filter((text) => !text.includes("="));

for (const name of named.length > 0 ? named : NETWORKS.keys()) {
  const make = NETWORKS.get(name);
  if (!make) {
    console.error(`there is no network ${name}; there are ${[...NETWORKS.keys()].join(", ")}`);
    process.exit(2);
  }
  const graph = make();
  const begin = performance.now();
  const { program } = schedule(graph, target);
  const ms = performance.now() - begin;
  const { cycles, dramBytes, sramPeakBytes } = timeProgram(program, target);
  const { boundCycles, rooflineCycles, macs } = boundOf(graph, target);
  const figures = { cycles, boundCycles, rooflineCycles, dramBytes, sramPeakBytes, scheduleMs: Math.round(ms) };
  console.log(JSON.stringify({ bench: "backend", network: name, target: target.name, ...figures }));
  if (named.length > 0) execute(name, program, macs);
}

/** The second run: the first one warms the kernels up. */
function execute(network: string, program: Program, macs: number): void {
  const machine = createMachine(encodeProgram(program));
  const random = seededRandom(network);
  const inputs = new Map<string, AnyArray>();
  for (const { name, shape } of program.entries[0].inputs) {
    inputs.set(
      name,
      Int8Array.from({ length: elementCount(shape) }, () => Math.floor(random() * 256) - 128),
    );
  }
  machine.run("main", inputs);
  const begin = performance.now();
  machine.run("main", inputs);
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    JSON.stringify({ bench: "machine", network, seconds, megaMacsPerSecond: Math.round(macs / seconds / 1e6) }),
  );
}
