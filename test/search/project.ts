import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { splitMix } from "../../src/data/random.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";

export const [INPUTS, HIDDEN, CLASSES] = [12, 24, 4];

/** Three layers with 24 hidden values each. `outlier`: a hidden value that is so much larger than the others, and says nothing. */
export function network(outlier = 0): Graph {
  const graph = parse(`
    input x: float32[1,12]
    a = Gemm(x, w1, b1)   # origin: /layer0/Gemm
    h = Relu(a)           # origin: /layer0/Relu
    c = Gemm(h, w2, b2)   # origin: /layer1/Gemm
    g = Relu(c)           # origin: /layer1/Relu
    y: float32[1,4] = Gemm(g, w3, b3)   # origin: /layer2/Gemm
    return y
  `);
  const random = splitMix(7);
  const normal = () => random() + random() + random() + random() - 2;
  const weights = (rows: number, columns: number) =>
    float32(
      [rows, columns],
      Array.from({ length: rows * columns }, () => normal() * Math.sqrt(3 / rows)),
    );
  const biases = (count: number) =>
    float32(
      [1, count],
      Array.from({ length: count }, () => 0.3 * normal()),
    );
  const b1 = biases(HIDDEN);
  const w2 = weights(HIDDEN, HIDDEN);
  if (outlier > 0) {
    (b1.data as Float32Array)[5] = outlier;
    (w2.data as Float32Array).fill(0, 5 * HIDDEN, 6 * HIDDEN);
  }
  const constants: [string, Tensor][] = [
    ["w1", weights(INPUTS, HIDDEN)],
    ["b1", b1],
    ["w2", w2],
    ["b2", biases(HIDDEN)],
    ["w3", weights(HIDDEN, CLASSES)],
    ["b3", biases(CLASSES)],
  ];
  return { ...graph, constants: new Map([...graph.constants, ...constants]) };
}

/** A folder with the model, its data labelled by itself, and a recipe with `lines` in it. Returns the recipe's path. */
export function project(folder: string, graph: Graph, lines: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model.onnx"), encodeModel(graph));
  const splits = { calibration: 64, selection: 160, certification: 80 };
  const random = splitMix(11);
  for (const [name, count] of Object.entries(splits)) {
    const x = new Float32Array(count * INPUTS).map(() => 2 * random() - 1);
    const target = new BigInt64Array(count);
    for (let at = 0; at < count; at++) {
      const feeds = new Map([["x", float32([1, INPUTS], x.subarray(at * INPUTS, (at + 1) * INPUTS))]]);
      const scores = [...((interpret(graph, feeds).get("y") as Tensor).data as Float32Array)];
      target[at] = BigInt(scores.indexOf(Math.max(...scores)));
    }
    const columns = new Map([
      ["x", { dtype: "float32" as const, shape: [count, INPUTS], data: x }],
      ["target", { dtype: "int64" as const, shape: [count], data: target }],
    ]);
    writeFileSync(join(folder, `${name}.npz`), encodeNpz(columns));
  }
  const data = Object.keys(splits).map((name) => `${name}: { npz: ${name}.npz }`);
  const recipe = join(folder, "net.yaml");
  writeFileSync(recipe, [`model: model.onnx`, `data: { ${data.join(", ")} }`, "jobs: 1", ...lines].join("\n"));
  return recipe;
}
