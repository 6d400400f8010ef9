/** One random graph on one random chip: does everybody who can run it say the same? */

import { boundOf } from "../../src/checker/bound.ts";
import { checkProgram } from "../../src/checker/check.ts";
import { decodeProgram } from "../../src/emulate/decode.ts";
import { loadInteger } from "../../src/emulate/integer.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import { CompileError } from "../../src/error.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { valuesOf } from "../../src/ir/tensor.ts";
import { print } from "../../src/ir/text.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { type ScheduleOptions, schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { drawFrom } from "../emulate/cases.ts";
import { withInt4Weights } from "../emulate/int4.ts";
import { randomGraph } from "../emulate/random-graph.ts";
import { legalOrder } from "./legal-order.ts";
import { HARD_STEPS, hardInputs } from "./steps.ts";

/** Everything that a run depends on; smaller numbers are simpler. */
export interface Drawn {
  readonly seed: number;
  readonly steps: number;
  readonly chip: number;
  readonly sram: number;
  readonly npus: number;
  readonly cascades: number;
}

const CHIPS: readonly (readonly [string, ...string[]])[] = [
  ["ai4"],
  ["ai4", "array.rows=8", "array.columns=16"],
  ["ai4", "array.rows=16", "array.columns=8", "vector.lanes=16"],
  ["ai3"],
  ["ai5-preview"],
  ["nvdla-64"],
  ["nvdla-2048"],
  ["ethos-u55-256"],
];
const SRAM: readonly (number | undefined)[] = [undefined, 65536, 32768, 16384, 8192, 4096, 3072];
const CASCADES = ["faster", "never", "always"] as const;
export const LIMITS = { chip: CHIPS.length - 1, sram: SRAM.length - 1, npus: 3, cascades: CASCADES.length - 1 };

const chips = new Map<number, Target>();
function chipOf(index: number): Target {
  const [name, ...set] = CHIPS[index];
  const found = chips.get(index) ?? loadTarget(name, { set });
  chips.set(index, found);
  return found;
}

/** What a chip may say to a graph: too large for it, or not one of its operators. */
const REFUSALS = ["model/layer-too-large", "model/does-not-fit", "model/cpu-fallback"];

export type Outcome = "agreed" | "refused";

type Codes = readonly (readonly [string, AnyArray])[];

const codesOf = (tensors: ReadonlyMap<string, unknown>, names: readonly string[]): Codes =>
  names.map((name) => [name, valuesOf(tensors.get(name) as Tensor) as AnyArray]);

function requireEqual(who: string, actual: Codes, expected: Codes, explain: () => string): void {
  for (const [at, [name, wanted]] of expected.entries()) {
    const found = actual[at][1];
    const first = wanted.findIndex((code, index) => code !== found[index]);
    if (found.length === wanted.length && first < 0) continue;
    throw new Error(`${who}: ${name}[${first}] is ${found[first]}, not ${wanted[first]}\n${explain()}`);
  }
}

/** Throws where two of them differ, or where the checker finds a fault. */
export function agree(drawn: Drawn): Outcome {
  const draw = drawFrom(seededRandom(`fuzz ${drawn.seed}`));
  const random = randomGraph(draw, drawn.steps, 2, { inputsOf: hardInputs, grow: HARD_STEPS });
  const { feeds } = random;
  const graph = draw.maybe() ? withInt4Weights(random.graph, draw, false) : random.graph;
  const target = chipOf(drawn.chip);
  const sramBytes = SRAM[drawn.sram];
  const options: ScheduleOptions = {
    npus: Math.min(drawn.npus, target.npus),
    sharing: "always",
    cascades: CASCADES[drawn.cascades],
    // The search for faster plans takes longer than all the rest: now and then.
    refined: drawn.seed % 8 === 0,
    ...(sramBytes === undefined ? {} : { sramBytes }),
  };
  const explain = () => `${JSON.stringify(drawn)}\n${print(graph)}`;
  let program: ReturnType<typeof schedule>["program"];
  try {
    ({ program } = schedule(graph, target, options));
  } catch (error) {
    if (error instanceof CompileError && REFUSALS.includes(error.code)) return "refused";
    throw new Error(`the scheduler: ${(error as Error).message}\n${explain()}`, { cause: error });
  }
  requireSafe(graph, program, target, explain);
  const machines = [program, legalOrder(program, seededRandom(drawn.seed))].map((one) =>
    createMachine(encodeProgram(one)),
  );
  const fast = loadInteger(graph);
  const held = new Map(graph.states.map(({ input, init }) => [input, init]));
  for (const given of feeds) {
    const oracle = interpret(graph, new Map([...given, ...held]));
    const expected = codesOf(oracle, graph.outputs);
    requireEqual("the integer executor", codesOf(fast.run(given), graph.outputs), expected, explain);
    for (const [at, machine] of machines.entries()) {
      const fed = new Map([...given].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray]));
      const outputs = machine.run("main", fed);
      const actual = graph.outputs.map((name) => [name, outputs.get(name) as AnyArray] as const);
      requireEqual(at === 0 ? "the machine" : "the machine in another order", actual, expected, explain);
    }
    for (const { input, output } of graph.states) held.set(input, oracle.get(output) as Tensor);
  }
  return "agreed";
}

/** No fault but sums that random codes drive out of range; no time below the bound. */
function requireSafe(
  graph: Graph,
  program: ReturnType<typeof schedule>["program"],
  target: Target,
  explain: () => string,
) {
  const { faults } = checkProgram(decodeProgram(encodeProgram(program)), target);
  const fault = faults.find(({ kind }) => kind !== "range");
  if (fault) throw new Error(`the checker: ${fault.kind} at ${fault.where}: ${fault.says}\n${explain()}`);
  const { cycles } = timeProgram(program, target);
  const { floorCycles } = boundOf(graph, target, { npus: program.npus });
  if (cycles < floorCycles)
    throw new Error(`timing: ${cycles} cycles, below the bound of ${floorCycles}\n${explain()}`);
}
