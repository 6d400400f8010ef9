/**
 * Import and passes: one JSON line each.
 *   import-and-passes   a 10,000-node ONNX model from bytes through the `float` preset (bar: 2,000 ms)
 *   conv-bn             500 Conv+BatchNormalization pairs fused (bar: 100 ms)
 */

import type { Graph } from "../src/ir/graph.ts";
import { parse } from "../src/ir/text.ts";
import { normalise } from "../src/onnx/normalise.ts";
import { decodeModel } from "../src/onnx/read.ts";
import { encodeModel } from "../src/onnx/write.ts";
import { inferTypes } from "../src/ops/infer.ts";
import { loadPass, runPasses } from "../src/passes.ts";

/** Blocks of five nodes that the passes have something to do with: Conv, BatchNormalization, Relu, Identity, Add. */
function deepModel(nodes: number): Graph {
  const lines = [
    "graph deep opset 17",
    "input x: float32[1,4,4,4]",
    "const w: float32[4,4,3,3] = random(1)",
    "const gamma: float32[4] = random(2)",
    "const beta: float32[4] = random(3)",
    "const mean: float32[4] = random(4)",
    "const variance: float32[4] = random(5, 0.5, 2)",
  ];
  let value = "x";
  for (let block = 0; block < nodes / 5; block++) {
    lines.push(
      `c${block} = Conv(${value}, w) pads=[1,1,1,1]`,
      `b${block} = BatchNormalization(c${block}, gamma, beta, mean, variance)`,
      `r${block} = Relu(b${block})`,
      `i${block} = Identity(r${block})`,
      `a${block} = Add(i${block}, ${value})`,
    );
    value = `a${block}`;
  }
  return parse([...lines, `return ${value}`].join("\n"));
}

function pairs(count: number): Graph {
  const lines = [
    "input x: float32[1,4,4,4]",
    "const w: float32[4,4,3,3] = random(1)",
    "const gamma: float32[4] = random(2)",
    "const beta: float32[4] = random(3)",
    "const mean: float32[4] = random(4)",
    "const variance: float32[4] = random(5, 0.5, 2)",
  ];
  let value = "x";
  for (let pair = 0; pair < count; pair++) {
    lines.push(`c${pair} = Conv(${value}, w) pads=[1,1,1,1]`);
    lines.push(`b${pair} = BatchNormalization(c${pair}, gamma, beta, mean, variance)`);
    value = `b${pair}`;
  }
  return inferTypes(parse([...lines, `return ${value}`].join("\n")));
}

async function median(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2];
}

const bytes = encodeModel(deepModel(10_000));
const whole = await median(async () => runPasses(normalise(decodeModel(bytes)), ["float"]));
console.log(JSON.stringify({ bench: "import-and-passes", nodes: 10_000, ms: Math.round(whole), barMs: 2000 }));

const pass = loadPass("fuse/conv-bn");
const graph = pairs(500);
const context = { options: {}, log: { info() {}, warn() {} }, infer: inferTypes, random: () => () => 0, notes() {} };
const fused = await median(() => pass.run(graph, context as unknown as Parameters<typeof pass.run>[1]));
console.log(JSON.stringify({ bench: "conv-bn", pairs: 500, ms: Math.round(fused * 10) / 10, barMs: 100 }));
