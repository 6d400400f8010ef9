/**
 * Quantizes as a build does, on the calibration samples of an npz (`--steps N`: on the first N steps of the recipe's own
 * sequences, which an npz cannot tell apart); prints what that took, as the peers' scripts do. Without arguments it only loads
 * itself.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openBuildData } from "../../../src/build/data.ts";
import { passesOf } from "../../../src/build/passes.ts";
import { importTeacher } from "../../../src/build/teacher.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { encodeRecord } from "../../../src/ir/record.ts";
import { listPasses, loadPass, runPasses } from "../../../src/passes.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { int4Share } from "../../../test/acceptance/quantization/measure.ts";
import { type FormatName, recipeOf } from "../../../test/acceptance/quantization/teachers.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    set: { type: "string", multiple: true, default: [] },
    steps: { type: "string" },
    samples: { type: "string", default: "Infinity" },
  },
});
const [teacher, format, calibration, out] = positionals;
// Passes are modules like others, only found by their names: the peers have imported theirs, too.
for (const name of listPasses()) loadPass(name);
if (out !== undefined) await quantize();

async function quantize(): Promise<void> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const recipe = recipeOf(teacher, format as FormatName, values.set);
  const { graph } = await importTeacher(recipe);
  const { selection: _, ...rest } = recipe.data;
  const source = values.steps === undefined ? { npz: calibration } : recipe.data.calibration;
  const data = await openBuildData({ ...recipe, data: { ...rest, calibration: source } }, graph);
  const samples = Math.min(Number(values.steps ?? values.samples), data.calibration.size);
  const counted = { ...recipe, quantize: { ...recipe.quantize, samples } };
  const made = await runPasses(graph, passesOf(counted, loadTarget(recipe.target)), {
    ...{ calibration: data.calibration, jobs: recipe.jobs, seed: recipe.seed, execute: loadInteger },
  });
  writeFileSync(out, encodeRecord(made.graph));
  const ms = Math.round(performance.now() - start);
  const { user, system } = process.cpuUsage(cpu);
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const told = [...values.set, ...(values.samples === "Infinity" ? [] : [`quantize.samples=${samples}`])];
  const settings = told.length > 0 ? told.join(" ") : "the recipe's";
  const cost = { ms, cpuMs: Math.round((user + system) / 1000), peakRssBytes };
  console.log(JSON.stringify({ peer: "optimus-compile", settings, ...cost, int4Share: int4Share(made.graph) }));
}
