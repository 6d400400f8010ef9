/** Damage through the front door: each ends in the right exit code, with a code and a place, and leaves nothing behind. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataArray } from "../../src/data/dataset.ts";
import { splitMix } from "../../src/data/random.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { attempt, type Outcome } from "./check.ts";
import { complaint, type Finished, optimus, root, runProgram } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "hostile-"));
const images = join(root, "fixtures/fashion-mnist");
const model = readFileSync(join(images, "depthwise.onnx"));
const MUTATIONS = 40;

export async function* hostile(): AsyncIterable<Outcome> {
  yield await attempt("a model cut at 20 places", () => eachModel(cuts()));
  yield await attempt(`a model with ${MUTATIONS} random changes`, () => eachModel(mutations()));
  yield await attempt("names that a terminal would obey", escapes);
  yield await attempt("a model through links", links);
  for (const [name, arrays] of badData()) yield await attempt(`data: ${name}`, () => withData(name, arrays));
  yield await attempt("an artifact with 30 flipped bits", flips);
  yield await attempt("a full disk", fullDisk);
}

type Verdict = Omit<Outcome, "name">;

/** Exit code in `codes`, said as an error of the user's, no stack trace. */
function wellAnswered(finished: Finished, codes: readonly number[]): string | undefined {
  const { code, stderr, stdout } = finished;
  if (code === null || !codes.includes(code)) return complaint(finished);
  if (code !== 0 && !/^error\[[a-z]+\/[a-z0-9-]+\] /m.test(stderr)) return `no code in: ${stderr.slice(0, 300)}`;
  if (/^\s+at .*\.[jt]s:\d+:\d+/m.test(stderr)) return `a stack trace: ${stderr.slice(0, 300)}`;
  return stdout.includes("\u001b") || stderr.includes("\u001b") ? "an escape reached the terminal" : undefined;
}

async function eachModel(models: Iterable<Uint8Array>): Promise<Verdict> {
  const answers = new Map<number | null, number>();
  const path = join(folder, "hostile.onnx");
  for (const bytes of models) {
    writeFileSync(path, bytes);
    const finished = await optimus("inspect", path);
    const wrong = wellAnswered(finished, [0, 3]);
    if (wrong !== undefined) return { good: false, says: wrong };
    answers.set(finished.code, (answers.get(finished.code) ?? 0) + 1);
  }
  return { good: true, says: [...answers].map(([code, count]) => `${count} × exit ${code}`).join(", ") };
}

function* cuts(): Iterable<Uint8Array> {
  for (let part = 0; part < 20; part++) yield model.subarray(0, Math.floor((model.length * part) / 20));
}

/** Most of the file is weights; the changes go where the structure is, too. */
function* mutations(): Iterable<Uint8Array> {
  const random = splitMix(5);
  for (let round = 0; round < MUTATIONS; round++) {
    const changed = Buffer.from(model);
    const reach = round % 2 === 0 ? 4096 : model.length;
    for (let count = 0; count < 4; count++) changed[Math.floor(random() * reach)] = Math.floor(random() * 256);
    yield changed;
  }
}

async function escapes(): Promise<Verdict> {
  const text = model.toString("latin1");
  const evil = text.replaceAll("image", "\u001b[2Ji");
  const path = join(folder, "evil.onnx");
  writeFileSync(path, Buffer.from(evil, "latin1"));
  for (const args of [
    ["inspect", path],
    ["inspect", path, "--text"],
    ["build", writeRecipe("evil", { model: path })],
  ]) {
    const wrong = wellAnswered(await optimus(...args), [0, 2, 3]);
    if (wrong !== undefined) return { good: false, says: wrong };
  }
  return { good: evil !== text, says: "shown, not obeyed" };
}

async function links(): Promise<Verdict> {
  const loop = join(folder, "loop.onnx");
  symlinkSync(loop, loop);
  for (const path of [loop, "/dev/zero", folder]) {
    const wrong = wellAnswered(await optimus("inspect", path), [2, 3]);
    if (wrong !== undefined) return { good: false, says: `${path}: ${wrong}` };
  }
  return { good: true, says: "a loop, a device and a folder are refused" };
}

function badData(): [string, Map<string, DataArray> | Uint8Array][] {
  const array = (shape: number[], fill = 0): DataArray => {
    const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1)).fill(fill);
    return { dtype: "float32", shape, data };
  };
  const doubles = { dtype: "float64", shape: [4, 1, 28, 28], data: new Float64Array(4 * 784) } as const;
  return [
    ["nothing", new Uint8Array(0)],
    ["noise", Uint8Array.from({ length: 4096 }, (_, at) => (at * 73) & 255)],
    ["no samples", new Map([["image", array([0, 1, 28, 28])]])],
    ["another dtype", new Map([["image", doubles]])],
    ["another shape", new Map([["image", array([4, 1, 27, 28])]])],
    ["another name", new Map([["picture", array([4, 1, 28, 28])]])],
  ];
}

async function withData(name: string, content: Map<string, DataArray> | Uint8Array): Promise<Verdict> {
  const path = join(folder, "bad.npz");
  writeFileSync(path, content instanceof Map ? encodeNpz(content) : content);
  const out = join(folder, "out");
  mkdirSync(out, { recursive: true });
  const finished = await optimus(
    "build",
    writeRecipe("data", { data: { calibration: { npz: path }, certification: { npz: path } } }),
    "--out",
    out,
  );
  const wrong =
    wellAnswered(finished, [2]) ?? (readdirSync(out).length > 0 ? `something was left behind by ${name}` : undefined);
  return { good: wrong === undefined, says: wrong ?? complaint(finished) };
}

function writeRecipe(name: string, more: object): string {
  const split = (file: string, limit: number) => ({
    reader: "idx",
    images: `${images}/${file}-images-idx3-ubyte.gz`,
    limit,
  });
  const recipe = {
    model: join(images, "depthwise.onnx"),
    inputs: { image: { shape: [1, 1, 28, 28] } },
    data: { calibration: split("train-2048", 16), certification: split("t10k", 64) },
    metric: "agreement",
    ...more,
  };
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, JSON.stringify(recipe));
  return path;
}

async function flips(): Promise<Verdict> {
  const out = join(folder, "artifact");
  const built = await optimus("build", writeRecipe("flips", {}), "--out", out);
  if (built.code !== 0) return { good: false, says: complaint(built) };
  const bytes = readFileSync(join(out, "flips.dopt"));
  const random = splitMix(9);
  const path = join(folder, "flipped.dopt");
  for (let round = 0; round < 30; round++) {
    const changed = Buffer.from(bytes);
    const at = Math.floor(random() * bytes.length);
    changed[at] ^= 1 << (round % 8);
    writeFileSync(path, changed);
    const wrong = wellAnswered(await optimus("verify", path, "--unsigned"), [4]);
    if (wrong !== undefined) return { good: false, says: `bit ${round % 8} of byte ${at}: ${wrong}` };
  }
  return { good: true, says: "each is noticed" };
}

/** A file system of 64 KiB, where this user may mount one. */
async function fullDisk(): Promise<Verdict> {
  const small = join(folder, "small");
  mkdirSync(small);
  const mounted = await runProgram("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]);
  if (mounted.code !== 0) return { good: true, says: "not tried: this user may not mount a small file system" };
  try {
    const finished = await optimus("build", writeRecipe("full", {}), "--out", small);
    const wrong = wellAnswered(finished, [2]) ?? (readdirSync(small).length > 0 ? "a part was left behind" : undefined);
    return { good: wrong === undefined, says: wrong ?? complaint(finished) };
  } finally {
    await runProgram("umount", [small]);
  }
}
