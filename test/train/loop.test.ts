import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { elementCount } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { interpret } from "../../src/run/interpret.ts";
import { train, withWeights } from "../../src/train/loop.ts";
import { withLosses } from "../../src/train/losses.ts";
import { parametersOf, trainingMode } from "../../src/train/mode.ts";
import { makeOptimizer } from "../../src/train/optimizer.ts";
import { batchAt, rateAt } from "../../src/train/schedule.ts";
import { initialWeights, openStep, type TrainingStep, type Weights } from "../../src/train/step.ts";

const FIXTURES = new URL("../../fixtures/fashion-mnist/", import.meta.url);
const BATCH = 64;
const STEPS = 24;

function idx(name: string): Uint8Array {
  const raw = gunzipSync(readFileSync(new URL(`${name}.gz`, FIXTURES)));
  return raw.subarray(4 + 4 * raw[3]);
}

/** The fixtures' separable network with fresh weights, and the loss by the labels. */
function freshNetwork(): { graph: Graph; loss: string } {
  const path = new URL("depthwise.onnx", FIXTURES).pathname;
  const teacher = importOnnx(path, { inputs: new Map([["image", { shape: [BATCH, 1, 28, 28] }]]) });
  const random = seededRandom("fresh");
  const constants = new Map(teacher.constants);
  for (const name of parametersOf(teacher)) {
    const { shape } = teacher.constants.get(name) as Tensor;
    if (shape.length < 2) continue;
    const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
    constants.set(
      name,
      float32(
        shape,
        Float32Array.from({ length: elementCount(shape) }, () => (2 * random() - 1) * bound),
      ),
    );
  }
  return withLosses({ ...teacher, constants }, [{ kind: "labels", scores: "logits", labels: "label" }]);
}

describe("a training", () => {
  const [images, labels] = [idx("train-2048-images-idx3-ubyte"), idx("train-2048-labels-idx1-ubyte")];
  const network = freshNetwork();
  const { graph, statistics } = trainingMode(network.graph);
  const parameters = parametersOf(graph);
  let step: TrainingStep;

  beforeAll(async () => {
    step = await openStep(graph, { loss: network.loss, parameters, statistics });
    return () => step.release();
  });

  function batch(at: number): Map<string, Tensor> {
    const { indices } = batchAt({ samples: 2048, batch: BATCH, seed: 7 }, at);
    const pixels = new Float32Array(BATCH * 784);
    indices.forEach((from, to) => {
      for (let at = 0; at < 784; at++) pixels[to * 784 + at] = images[from * 784 + at] / 255;
    });
    const classes = BigInt64Array.from(indices, (from) => BigInt(labels[from]));
    return new Map<string, Tensor>([
      ["image", { dtype: "float32", shape: [BATCH, 1, 28, 28], data: pixels }],
      ["label", { dtype: "int64", shape: [BATCH], data: classes }],
    ]);
  }

  async function run(weights: Weights, optimizer = makeOptimizer({ kind: "sgd" }), from = 0, steps = STEPS) {
    const losses: number[] = [];
    const rate = (at: number): number => rateAt({ peak: 0.2, steps: STEPS, warmUp: 4 }, at);
    for await (const report of train({ step, weights, optimizer, steps, from, batch, rate, clip: 5 }))
      losses.push(report.loss);
    return losses;
  }

  const fresh = (): Weights => initialWeights(graph, [...parameters, ...statistics.map(({ name }) => name)]);

  it("finds the weights and the statistics", () => {
    expect(parameters.length).toBe(9 + 18 + 2);
    expect(statistics.length).toBe(18);
  });

  it("lowers the loss, gives the same bits again, and goes on where it stopped", async () => {
    const [first, second] = [fresh(), fresh()];
    const losses = await run(first);
    expect(losses[0]).toBeGreaterThan(2);
    expect(Math.max(...losses.slice(-4))).toBeLessThan(1.6);
    const optimizer = makeOptimizer({ kind: "sgd" });
    const begun = await run(second, optimizer, 0, 10);
    const goingOn = makeOptimizer({ kind: "sgd" });
    goingOn.restore(optimizer.state());
    expect([...begun, ...(await run(second, goingOn, 10))]).toEqual(losses);
    expect(second).toEqual(first);
  });

  it("leaves weights that the model runs with", async () => {
    const weights = fresh();
    await run(weights, undefined, 0, 2);
    const trained = withWeights(network.graph, weights);
    expect(trained.constants.get(parameters[0])).toEqual(weights.get(parameters[0]));
    const mean = statistics[0].name;
    expect(trained.constants.get(mean)).not.toEqual(graph.constants.get(mean));
  });
});

describe("the batch of the next step", () => {
  it("is made while a step runs, and what goes wrong with it ends the training in its turn", async () => {
    const seen: string[] = [];
    const weights = new Map([["w", float32([1], [1])]]);
    const training = train({
      step: {
        graph: parse("input x: float32[1]\ny = Relu(x)\nreturn y"),
        async run() {
          seen.push("begins");
          await Promise.resolve();
          seen.push("ends");
          return { loss: 1, gradients: new Map(), norm: 0, statistics: new Map(), kept: new Map() };
        },
        firstNotFinite: () => Promise.resolve(undefined),
        optimizer: makeOptimizer,
        release: () => Promise.resolve(),
      },
      ...{ weights, optimizer: makeOptimizer({ kind: "sgd" }), steps: 3, rate: () => 0.1 },
      batch(at) {
        seen.push(`batch ${at}`);
        if (at === 2) throw new Error("no more data");
        return new Map();
      },
    });
    expect((await training.next()).value).toMatchObject({ step: 0 });
    expect(seen).toEqual(["batch 0", "begins", "batch 1", "ends"]);
    expect((await training.next()).value).toMatchObject({ step: 1 });
    await expect(training.next()).rejects.toThrow("no more data");
  });
});

describe("a training that diverges", () => {
  it("names the step and the weight, and leaves the weights alone", async () => {
    const graph = parse(`
      input x: float32[2]
      const w: float32[2] = [1, 1]
      const v: float32[2] = [-1, 1]
      a = Mul(x, w)
      b = Mul(a, v)
      c = Log(b)
      loss = ReduceSum(c) keepdims=0
      return loss
    `);
    const step = await openStep(graph, { loss: "loss", parameters: ["w", "v"] });
    const weights = initialWeights(graph, ["w", "v"]);
    const before = structuredClone(weights);
    const training = train({
      ...{ step, weights, optimizer: makeOptimizer({ kind: "sgd" }), steps: 3 },
      batch: () => new Map([["x", float32([2], [1, 1])]]),
      rate: () => 0.1,
    });
    await expect(training.next()).rejects.toMatchObject({
      code: "model/diverged",
      where: 'step 0: first in Log "c"',
    });
    expect(weights).toEqual(before);
    await step.release();
  });

  it("agrees with the interpreter", async () => {
    const { graph, loss } = withLosses(
      parse("input x: float32[2, 3]\nconst w: float32[3, 2] = random(1)\ny = MatMul(x, w)\nreturn y"),
      [{ kind: "labels", scores: "y", labels: "t" }],
    );
    const step = await openStep(graph, { loss, parameters: ["w"] });
    const feeds = new Map<string, Tensor>([
      ["x", float32([2, 3], [1, 2, 3, 4, 5, 6])],
      ["t", { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, 0n) }],
    ]);
    const weights = initialWeights(graph, ["w"]);
    const { gradients } = await step.run(feeds, weights);
    const wanted = interpret(step.graph, new Map([...feeds, ...weights])).get("gradient/w") as Tensor;
    expect([...(gradients.get("w") ?? [])]).toEqual(numbersOf(wanted).map((each) => expect.closeTo(each, 5)));
    await step.release();
  });
});
