/** ONNX's own operator cases through the default passes: nothing breaks, and the integers say what the reals did. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadInteger } from "../../src/emulate/integer.ts";
import { CompileError } from "../../src/error.ts";
import { dequantize } from "../../src/ir/codes.ts";
import { type Graph, isStatic, type Tensor } from "../../src/ir/graph.ts";
import { isFloat } from "../../src/ir/numbers.ts";
import { bytesOf } from "../../src/ir/tensor.ts";
import { decode } from "../../src/onnx/decode.ts";
import { bindInputs, type InputBinding } from "../../src/onnx/import.ts";
import { normalise } from "../../src/onnx/normalise.ts";
import { readModel } from "../../src/onnx/read.ts";
import { decodeTensor } from "../../src/onnx/tensor.ts";
import { memorySource } from "../../src/onnx/wire.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import type { Outcome } from "./check.ts";

const CASES = join(process.env.ONNX_TEST_DATA ?? "/usr/share/libonnx-testdata/data", "node");
/** max|Δ| / max|y| that 8 bits may cost one operator on the few numbers of a case. */
const TOLERANCE = 0.08;
/** Jumps and poles, where a step's width decides; numbers whose differences 8 bits do not tell. */
const STEEP = new Set([
  "hardmax_axis_0",
  "hardmax_axis_1",
  "round",
  "softmax_large_number_expanded",
  "tan",
  "thresholdedrelu_example",
]);

export async function* lowering(): AsyncIterable<Outcome> {
  if (!existsSync(CASES)) {
    yield { name: "cases", good: false, says: `${CASES} is missing: apt-get install libonnx-testdata` };
    return;
  }
  const counts = new Map<string, number>();
  for (const name of readdirSync(CASES).sort()) {
    const wrong = await tryCase(join(CASES, name)).catch((error: Error) => error);
    const kind = wrong instanceof CompileError ? "refused" : typeof wrong === "string" ? wrong : undefined;
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    else if (wrong instanceof Error && !STEEP.has(name.slice("test_".length))) {
      counts.set("wrong", (counts.get("wrong") ?? 0) + 1);
      yield { name, good: false, says: wrong.message };
    }
  }
  const says = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  yield { name: "operator cases", good: !counts.has("wrong"), says };
}

/** Where it runs. Only the first input is fed, the others are constants, as models have them. Throws what is wrong. */
async function tryCase(folder: string): Promise<string> {
  const model = readModel(join(folder, "model.onnx"));
  const fed = feedsOf(model, folder);
  if (fed === undefined) return "without tensors";
  const inputs = new Map(
    [...fed].map(([name, tensor], index): [string, InputBinding] => [name, bindingOf(tensor, index)]),
  );
  const graph = normalise(bindInputs(model, { inputs }));
  const feeds = new Map([...fed].filter(([name]) => graph.inputs.includes(name)));
  const wanted = interpret(graph, feeds);
  const calibration = { size: 1, feeds: () => feeds };
  const { graph: integer } = await runPasses(graph, ["default"], { calibration, execute: loadInteger });
  const [slow, fast] = [interpret(integer, feeds), loadInteger(integer).run(feeds)];
  for (const name of integer.outputs) {
    const [real, codes, same] = [wanted.get(name), slow.get(name), fast.get(name)] as (Tensor | undefined)[];
    if (!real || !codes?.quant || !isFloat(real.dtype)) continue;
    if (!same || !Buffer.from(bytesOf(codes)).equals(bytesOf(same))) throw new Error(`${name}: the executors differ`);
    const error = distance(real, codes);
    if (error > TOLERANCE) throw new Error(`${name} is off by ${(100 * error).toFixed(1)} % of its largest number`);
  }
  const host = integer.nodes.filter((node) => node.domain !== "npu").length;
  return host === 0 ? "whole on the chip" : host === integer.nodes.length ? "on the CPU" : "in part";
}

function bindingOf(tensor: Tensor, index: number): InputBinding {
  return index === 0 ? { shape: tensor.shape } : { value: tensor };
}

/** Undefined where the case feeds sequences, or leaves a shape open. */
function feedsOf(model: Graph, folder: string): Map<string, Tensor> | undefined {
  const feeds = new Map<string, Tensor>();
  for (const [index, name] of model.inputs.entries()) {
    const path = join(folder, "test_data_set_0", `input_${index}.pb`);
    if (!existsSync(path)) continue;
    if (model.types.get(name)?.container !== undefined) return undefined;
    feeds.set(name, decodeTensor(decode("TensorProto", memorySource(readFileSync(path))), path));
  }
  return [...feeds.values()].every(({ shape }) => isStatic(shape)) ? feeds : undefined;
}

/** Over the numbers that are finite. */
function distance(real: Tensor, codes: Tensor): number {
  const [a, b] = [real, codes].map((tensor) => dequantize(tensor).data as Float32Array);
  let [gap, largest] = [0, 1e-9];
  for (let index = 0; index < a.length; index++) {
    if (!Number.isFinite(a[index])) continue;
    gap = Math.max(gap, Math.abs(a[index] - b[index]));
    largest = Math.max(largest, Math.abs(a[index]));
  }
  return gap / largest;
}
