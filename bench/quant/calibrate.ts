/**
 * What calibration costs beside plain inference: the pass `quantize/int8` of the PP-OCR recipe on `--samples` lines (512), against
 * ONNX Runtime running the teacher on the same lines, one thread each and a process each. Drawing the lines counts for neither; weights
 * are not rounded by GPTQ first, which is a pass of its own with memory of its own.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBuildData } from "../../src/build/data.ts";
import { passesOf } from "../../src/build/passes.ts";
import { importTeacher } from "../../src/build/teacher.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import type { Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { loadRecipe } from "../../src/recipe.ts";
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
    options: { samples: { type: "string", default: SAMPLES }, only: { type: "string" } },
  });
  const samples = Number(values.samples);
  if (!Number.isSafeInteger(samples) || samples < 1) throw new Error("--samples is a positive whole number");
  if (values.only !== undefined) return { ...(values.only === "plain" ? await plain(samples) : await whole(samples)) };
  const [calibration, inference] = [apart("calibration", samples), apart("plain", samples)];
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
};
export default bench;

/** This bench's one half in a process of its own, whose peak memory is then that half's. */
function apart(only: "calibration" | "plain", samples: number): Cost {
  const main = fileURLToPath(new URL("../quant.ts", import.meta.url));
  const args = [main, "calibrate", "--only", only, "--samples", String(samples)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the ${only} half ended with ${status}`);
  return JSON.parse(stdout) as Cost;
}

async function open(samples: number) {
  const recipe = loadRecipe(fileURLToPath(new URL("../../recipes/ocr-rec.yaml", import.meta.url)));
  const { graph } = await importTeacher(recipe);
  const calibration = { ...recipe.data.calibration, count: samples };
  const { selection: _, ...data } = recipe.data;
  const split = await openBuildData({ ...recipe, data: { ...data, calibration } }, graph);
  return { recipe, graph, samples: timed(split.calibration) };
}

/** Samples that tell how long they took to make. */
function timed(samples: Samples): Samples & { spent(): { readonly ms: number; readonly cpuMs: number } } {
  let [ms, cpuMs] = [0, 0];
  return {
    ...samples,
    async feeds(index) {
      const stop = watch();
      const made = await samples.feeds(index);
      const cost = stop();
      ms += cost.ms;
      cpuMs += cost.cpuMs;
      return made;
    },
    spent: () => ({ ms, cpuMs }),
  };
}

function watch(): () => { ms: number; cpuMs: number } {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { ms: performance.now() - start, cpuMs: (user + system) / 1000 };
  };
}

async function whole(count: number): Promise<Cost> {
  const { recipe, graph, samples } = await open(count);
  const specs = passesOf({ ...recipe, quantize: { ...recipe.quantize, samples: count } }, loadTarget(recipe.target));
  const at = specs.findIndex((spec) => typeof spec === "object" && "pass" in spec && spec.pass === "quantize/int8");
  const ahead = specs
    .slice(0, at)
    .filter((spec) => !(typeof spec === "object" && "pass" in spec && spec.pass === "quantize/round-weights"));
  const before = await runPasses(graph, ahead, { calibration: samples });
  const spent = samples.spent();
  const stop = watch();
  await runPasses(before.graph, [specs[at]], { calibration: samples, jobs: THREADS });
  const { ms, cpuMs } = stop();
  const drawing = samples.spent();
  return {
    ms: ms - (drawing.ms - spent.ms),
    cpuMs: cpuMs - (drawing.cpuMs - spent.cpuMs),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

async function plain(count: number): Promise<Cost> {
  const { graph, samples } = await open(count);
  const session = await createSession(encodeModel({ ...graph, states: [] }), { threads: THREADS });
  const stop = watch();
  for (let index = 0; index < count; index++) await session.run(await samples.feeds(index));
  const { ms, cpuMs } = stop();
  const drawing = samples.spent();
  await session.release();
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  return { ms: ms - drawing.ms, cpuMs: cpuMs - drawing.cpuMs, peakRssBytes };
}
