/** Machine, fast executor and the exported integer ONNX under ONNX Runtime: one and the same code in every output. */
import { readdirSync } from "node:fs";
import type { Codes } from "../../src/artifact/golden.ts";
import { wantedOf } from "../../src/build/data.ts";
import { make } from "../../src/build.ts";
import { openDataset } from "../../src/data/dataset.ts";
import { fitSample } from "../../src/data/fit.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { bytesOf } from "../../src/ir/tensor.ts";
import { exportIntegerOnnx } from "../../src/onnx/integer.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { loadRecipe } from "../../src/recipe.ts";
import { chipExecutor, codesOf, fastExecutor, firstDifference, tensorOf } from "../../src/replay.ts";
import { createSession } from "../../src/run/ort.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";

/** Of recipes other than the quick start, whose samples are all run. */
const USUAL_SAMPLES = 200;

export async function* agreement({ samples }: AcceptanceOptions): AsyncIterable<Outcome> {
  for (const file of readdirSync("recipes").filter((name) => name.endsWith(".yaml"))) {
    const limit = samples ?? (file === "quickstart.yaml" ? Number.POSITIVE_INFINITY : USUAL_SAMPLES);
    yield await attempt(file, () => compare(`recipes/${file}`, limit));
  }
}

async function compare(path: string, limit: number): Promise<Omit<Outcome, "name">> {
  const recipe = loadRecipe(path);
  const { integer, scheduled, teacher } = await make(recipe);
  const fast = fastExecutor(integer);
  const others = { machine: chipExecutor(scheduled.sections), "integer ONNX": await ortExecutor(integer) };
  const dataset = await openDataset(recipe.data.certification, recipe.folder);
  const count = Math.min(limit, dataset.length);
  const wanted = wantedOf(teacher.graph);
  const spent = new Map<string, number>();
  let sequence: string | undefined;
  for (let index = 0; index < count; index++) {
    const sample = await dataset.read(index);
    if (sample.sequence === undefined || sample.sequence !== sequence) {
      fast.reset();
      for (const executor of Object.values(others)) executor.reset();
    }
    sequence = sample.sequence;
    const inputs = codesOf(integer, fitSample(sample, wanted) as ReadonlyMap<string, Tensor>);
    const outputs = timed("fast", spent, () => fast.run(inputs));
    for (const [name, executor] of Object.entries(others)) {
      const found = firstDifference(outputs, await timed(name, spent, () => executor.run(inputs)));
      if (found !== undefined) return { good: false, says: `sample ${sample.id}: ${name} differs: ${found}` };
    }
  }
  dataset.close();
  const times = [...spent].map(([name, ms]) => `${name} ${(ms / count).toFixed(1)} ms`);
  return { good: true, says: `${count} samples, every code equal (${times.join(", ")} a sample)` };
}

function timed<T>(name: string, spent: Map<string, number>, work: () => T): T {
  const start = performance.now();
  const result = work();
  const add = () => spent.set(name, (spent.get(name) ?? 0) + performance.now() - start);
  if (result instanceof Promise) result.then(add, () => undefined);
  else add();
  return result;
}

type AsyncExecutor = { run(inputs: readonly Codes[]): Promise<Codes[]> | Codes[]; reset(): void };

/** The export keeps states as inputs and outputs; whoever runs it feeds them back. */
async function ortExecutor(graph: Graph): Promise<AsyncExecutor> {
  const model = exportIntegerOnnx(graph);
  const session = await createSession(encodeModel(model));
  const states = new Map<string, Tensor>();
  const reset = () => {
    for (const { input, init } of graph.states) states.set(input, init);
  };
  reset();
  return {
    reset,
    async run(inputs) {
      const feeds = new Map([...states, ...inputs.map((codes): [string, Tensor] => [codes.name, tensorOf(codes)])]);
      const outputs = await session.run(feeds);
      for (const { input, output } of graph.states) states.set(input, outputs.get(output)!);
      return [...outputs].map(([name, tensor]) => ({
        name,
        dtype: tensor.dtype,
        shape: tensor.shape,
        bytes: bytesOf(tensor),
      }));
    },
  };
}
