/**
 * Machine executor, integer executor and checker on every reference network and teacher under three targets: the same codes
 * everywhere, no fault, and codes that are used, since agreement on codes that are all alike would say little. Schedules know no
 * profile, so that none can change an integer.
 */
import { readdirSync } from "node:fs";
import { calibrated, seededInputs } from "../../bench/backend/calibrate.ts";
import { gptDecode } from "../../bench/backend/networks/transformers.ts";
import { NETWORKS } from "../../bench/backend/networks.ts";
import type { Codes } from "../../src/artifact/golden.ts";
import { wantedOf } from "../../src/build/data.ts";
import { make } from "../../src/build.ts";
import { checkProgram } from "../../src/checker/check.ts";
import { openDataset } from "../../src/data/dataset.ts";
import { fitSample } from "../../src/data/fit.ts";
import { decodeProgram } from "../../src/emulate/decode.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { chipExecutor, codesOf, fastExecutor, firstDifference } from "../../src/replay.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

const TARGETS = ["ai3", "ai4", "ai5-preview"];
/** The GPT step's bits are compared on as many of its 48 layers, which are all alike; the checker's suite takes it whole. */
const GPT = "gpt-1.5b-decode";
const GPT_LAYERS = 2;
/** Shares of the codes in use, as 2^entropy of 256. */
const [LEAST, MOST] = [0.05, 0.95];
const USUAL_SAMPLES = 4;

export async function* backend({ samples = USUAL_SAMPLES }: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const [name, network] of NETWORKS) {
    yield await attempt(name, async () => {
      const { graph, used } = calibrated(name === GPT ? gptDecode(GPT_LAYERS) : network());
      const shares = [...used].sort((a, b) => a[1] - b[1]);
      const [least, most] = [shares[0], shares[shares.length - 1]];
      const says = `${percent(least[1])} to ${percent(most[1])} of the codes in use`;
      if (least[1] < LEAST || most[1] > MOST) return { good: false, says: `${says} (${least[0]}, ${most[0]})` };
      return compare(...seeded(graph), says);
    });
  }
  for (const file of readdirSync("recipes").filter((name) => name.endsWith(".yaml"))) {
    yield await attempt(file, async () => {
      const recipe = loadRecipe(`recipes/${file}`);
      const { integer, teacher } = await make(recipe);
      const dataset = await openDataset(recipe.data.certification, recipe.folder);
      const inputs: (readonly Codes[])[] = [];
      for (let index = 0; index < Math.min(samples, dataset.length); index++) {
        const sample = fitSample(await dataset.read(index), wantedOf(teacher.graph));
        inputs.push(codesOf(integer, sample as ReadonlyMap<string, Tensor>));
      }
      dataset.close();
      return compare(integer, inputs, `${inputs.length} samples`, recipe.allowCpu);
    });
  }
}

/** Two steps with the same codes for the inputs; states, such as caches, begin with codes as well, and go on by themselves. */
function seeded(graph: Graph): [Graph, (readonly Codes[])[]] {
  const values = seededInputs(graph, "acceptance");
  const states = graph.states.map((state) => ({ ...state, init: values.get(state.input) ?? state.init }));
  for (const { input } of states) values.delete(input);
  const codes = codesOf(graph, values);
  return [{ ...graph, states }, states.length > 0 ? [codes, codes] : [codes]];
}

const percent = (share: number) => `${(share * 100).toFixed(0)} %`;

async function compare(
  graph: Graph,
  steps: readonly (readonly Codes[])[],
  says: string,
  allowCpu = false,
): Promise<Omit<Outcome, "name">> {
  const fast = fastExecutor(graph);
  fast.reset();
  const wanted: Codes[][] = [];
  for (const inputs of steps) wanted.push(await fast.run(inputs));
  for (const name of TARGETS) {
    const target = loadTarget(name);
    const sections = encodeProgram(schedule(graph, target, { allowCpu }).program);
    const [fault] = checkProgram(decodeProgram(sections), target).faults;
    if (fault) return { good: false, says: `${says}; ${name}: ${fault.kind} at ${fault.where}: ${fault.says}` };
    const chip = chipExecutor(sections);
    chip.reset();
    for (const [step, inputs] of steps.entries()) {
      const difference = firstDifference(wanted[step], await chip.run(inputs));
      if (difference) return { good: false, says: `${says}; ${name}, step ${step}: ${difference}` };
    }
  }
  return { good: true, says: `${says}; equal and safe on ${TARGETS.join(", ")}` };
}
