/**
 * `npm run bench:train -- step residual-cnn|mobilenet-like|gpt [--batch N] [--shards N] [--jobs N] [--threads N] [--steps N]
 * [--export DIR]`: how long a training step takes, forward pass, gradients with their norm, and optimizer. As a recipe with `shards: 2` on two
 * cores unless it is told: two parts of the batch, each on a thread of its own; with `--threads` alone the whole batch in one
 * session of so many threads. One JSON line, whose `threads` are all that compute; `--export` writes the forward network with
 * its loss (network.onnx) and the batch (batch.npz), so that anyone can time the same elsewhere. The same networks in PyTorch:
 * bench/peers/train/step.py.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeNpz } from "../src/data/write-npz.ts";
import { CompileError, exitCodeOf } from "../src/error.ts";
import { elementCount, type Tensor } from "../src/ir/graph.ts";
import { valuesOf } from "../src/ir/tensor.ts";
import { writeModel } from "../src/onnx/write.ts";
import { parametersOf, trainingMode } from "../src/train/mode.ts";
import { openShards } from "../src/train/shards.ts";
import { initialWeights } from "../src/train/step.ts";
import { wholeNumber } from "./backend/options.ts";
import { type BenchNetwork, NETWORKS } from "./train/networks.ts";

const WARM_UP = 3;
/** What the bars are set for. */
const CORES = 2;

interface Wanted {
  readonly name: string;
  readonly network: BenchNetwork;
  readonly batch: number;
  readonly threads: number;
  readonly shards: number;
  readonly jobs: number;
  readonly steps: number;
  readonly folder?: string;
}

function wantedOf(given: readonly string[]): Wanted {
  const text = { type: "string" } as const;
  const options = { batch: text, threads: text, shards: text, jobs: text, steps: text, export: text };
  const { values, positionals } = parseArgs({ args: [...given], allowPositionals: true, options });
  const [command, name = "", ...rest] = positionals;
  const network = NETWORKS.get(name);
  if (command !== "step" || network === undefined || rest.length > 0) {
    throw new CompileError("usage/bad-option", `expected "step" and one of ${[...NETWORKS.keys()].join(", ")}`);
  }
  const number = (key: "batch" | "threads" | "shards" | "jobs" | "steps", usual: number): number => {
    const value = values[key];
    return value === undefined ? usual : wholeNumber(value, `--${key}`);
  };
  const shards = number("shards", values.threads === undefined ? CORES : 1);
  return {
    ...{ name, network, batch: number("batch", network.batch), threads: number("threads", 1), shards },
    jobs: number("jobs", Math.min(shards, CORES)),
    ...{ steps: number("steps", 20), ...(values.export === undefined ? {} : { folder: values.export }) },
  };
}

function exportTo(folder: string, { network, batch }: Wanted): void {
  mkdirSync(folder, { recursive: true });
  writeModel(network.graph(batch), join(folder, "network.onnx"));
  const arrays = [...network.feeds(batch)].map(([name, tensor]: [string, Tensor]) => {
    return [
      name,
      { dtype: tensor.dtype as "float32", shape: tensor.shape, data: valuesOf(tensor) as Float32Array },
    ] as const;
  });
  writeFileSync(join(folder, "batch.npz"), encodeNpz(new Map(arrays)));
}

async function measure(wanted: Wanted): Promise<object> {
  const { name, network, batch, threads, shards, jobs, steps } = wanted;
  const forward = network.graph(batch / shards);
  const { graph, statistics } = trainingMode(forward);
  const parameters = parametersOf(graph);
  const weights = initialWeights(graph, [...parameters, ...statistics.map((each) => each.name)]);
  const step = await openShards(graph, {
    loss: forward.outputs[0],
    parameters,
    statistics,
    threads,
    shards,
    workers: jobs,
  });
  const optimizer = step.optimizer(name === "gpt" ? { kind: "adamw" } : { kind: "sgd" });
  const feeds = network.feeds(batch);
  const times: number[] = [];
  let before = process.cpuUsage();
  for (let at = -WARM_UP; at < steps; at++) {
    if (at === 0) before = process.cpuUsage();
    const begun = performance.now();
    const result = await step.run(feeds, weights);
    await optimizer.update(weights, result.gradients, 1e-3);
    for (const [statistic, value] of result.statistics) weights.set(statistic, value);
    if (at >= 0) times.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(before);
  await step.release();
  const median = times.sort((a, b) => a - b)[Math.floor(steps / 2)];
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    network: name,
    parameters: parameters.reduce((sum, each) => sum + elementCount(weights.get(each)?.shape ?? []), 0),
    batch,
    msPerStep: round(median),
    cpuMsPerStep: round((user + system) / 1000 / steps),
    samplesPerSecond: round((batch * 1000) / median),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    ...{ threads: threads * jobs, shards, jobs },
  };
}

try {
  const wanted = wantedOf(process.argv.slice(2));
  if (wanted.folder !== undefined) exportTo(wanted.folder, wanted);
  console.log(JSON.stringify(await measure(wanted)));
} catch (error) {
  const known = error instanceof CompileError;
  if (!known && !(error instanceof TypeError && "code" in error)) throw error;
  console.error(`${known ? error.code : "usage/bad-option"}: ${(error as Error).message}`);
  process.exitCode = known ? exitCodeOf(error) : 2;
}
