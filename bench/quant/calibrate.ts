/**
 * What calibration costs beside plain inference: the pass `quantize/int8` of the PP-OCR recipe on `--samples` lines (512), against
 * ONNX Runtime running the teacher on the same lines, one thread each and a process each. The lines are drawn before, by another process, and lie in
 * a file; weights are not rounded by GPTQ first, which is a pass of its own with memory of its own.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBuildData } from "../../src/build/data.ts";
import { passesOf } from "../../src/build/passes.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import { openDataset } from "../../src/data/dataset.ts";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { elementCount } from "../../src/ir/graph.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { runPasses } from "../../src/passes.ts";
import { loadRecipe, type Recipe } from "../../src/recipe.ts";
import { createSession } from "../../src/run/ort.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { QuantBench } from "../quant.ts";

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

const SAMPLES = "512";
const THREADS = 1;

const bench: QuantBench = async (options) => {
  const { values } = parseArgs({
    args: [...options],
    options: { samples: { type: "string", default: SAMPLES }, only: { type: "string" }, lines: { type: "string" } },
  });
  const samples = Number(values.samples);
  if (!Number.isSafeInteger(samples) || samples < 1) throw new Error("--samples is a positive whole number");
  const { only, lines } = values;
  if (only !== undefined && lines !== undefined) return { ...(await half(only, lines, samples)) };
  const folder = mkdtempSync(join(tmpdir(), "calibrate-"));
  try {
    const file = join(folder, "lines.npz");
    const run = (each: Half): Cost => apart(each, file, samples);
    run("drawing");
    const [calibration, inference] = [run("calibration"), run("plain")];
    return {
      ms: Math.round(calibration.ms),
      fp32Ms: Math.round(inference.ms),
      ratio: Number((calibration.ms / inference.ms).toFixed(3)),
      cpuRatio: Number((calibration.cpuMs / inference.cpuMs).toFixed(3)),
      peakRssBytes: calibration.peakRssBytes,
      fp32PeakRssBytes: inference.peakRssBytes,
      samples,
      threads: THREADS,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
export default bench;

type Half = "drawing" | "calibration" | "plain";

function half(only: string, lines: string, samples: number): Promise<Cost> {
  if (only === "drawing") return draw(lines, samples);
  return only === "plain" ? plain(lines, samples) : whole(lines, samples);
}

/** One part of this bench in a process of its own, whose peak memory is then that part's. */
function apart(only: Half, lines: string, samples: number): Cost {
  const main = fileURLToPath(new URL("../quant.ts", import.meta.url));
  const args = [main, "calibrate", "--only", only, "--lines", lines, "--samples", String(samples)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${only} ended with ${status}`);
  return JSON.parse(stdout) as Cost;
}

function recipeOf(): Recipe {
  return loadRecipe(fileURLToPath(new URL("../../recipes/ocr-rec.yaml", import.meta.url)));
}

/** The lines that the recipe would calibrate on, were there so many of them, as an .npz file. */
async function draw(lines: string, count: number): Promise<Cost> {
  const stop = watch();
  const recipe = recipeOf();
  const dataset = await openDataset({ ...recipe.data.calibration, count }, recipe.folder);
  const [{ name, shape }] = dataset.describe().inputs;
  const size = elementCount(shape);
  const data = new Float32Array(count * size);
  for (let index = 0; index < count; index++) {
    const { inputs } = await dataset.read(index);
    data.set(inputs.get(name)?.data as Float32Array, index * size);
  }
  dataset.close();
  const array = { dtype: "float32", shape: [count, ...shape.slice(1)], data } as const;
  writeFileSync(lines, encodeNpz(new Map([[name, array]])));
  return stop();
}

async function open(lines: string) {
  const recipe = recipeOf();
  const { graph } = await importTeacher(recipe);
  const { selection: _, ...data } = recipe.data;
  const split = await openBuildData({ ...recipe, data: { ...data, calibration: { npz: lines } } }, graph);
  return { recipe, graph, samples: split.calibration };
}

function watch(): () => Cost {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    return { ms: performance.now() - start, cpuMs: (user + system) / 1000, peakRssBytes };
  };
}

async function whole(lines: string, count: number): Promise<Cost> {
  const { recipe, graph, samples } = await open(lines);
  const specs = passesOf({ ...recipe, quantize: { ...recipe.quantize, samples: count } }, loadTarget(recipe.target));
  const at = specs.findIndex((spec) => typeof spec === "object" && "pass" in spec && spec.pass === "quantize/int8");
  const ahead = specs
    .slice(0, at)
    .filter((spec) => !(typeof spec === "object" && "pass" in spec && spec.pass === "quantize/round-weights"));
  const before = await runPasses(graph, ahead, { calibration: samples });
  const stop = watch();
  await runPasses(before.graph, [specs[at]], { calibration: samples, jobs: THREADS });
  return stop();
}

async function plain(lines: string, count: number): Promise<Cost> {
  const { graph, samples } = await open(lines);
  const session = await createSession(encodeModel({ ...graph, states: [] }), { threads: THREADS });
  const stop = watch();
  for (let index = 0; index < count; index++) await session.run(await samples.feeds(index));
  const cost = stop();
  await session.release();
  return cost;
}
