/** Quantizes as a build does, on the calibration samples of an npz; prints what that took, as the peers' scripts do. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openBuildData } from "../../../src/build/data.ts";
import { passesOf } from "../../../src/build/passes.ts";
import { importTeacher } from "../../../src/build/teacher.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { encodeRecord } from "../../../src/ir/record.ts";
import { runPasses } from "../../../src/passes.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { recipeOf } from "../../../test/acceptance/quantization/teachers.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { set: { type: "string", multiple: true, default: [] } },
});
const [teacher, calibration, out] = positionals;
const start = performance.now();
const recipe = recipeOf(teacher, "W8A8", values.set);
const { graph } = await importTeacher(recipe);
const { selection: _, ...rest } = recipe.data;
const data = await openBuildData({ ...recipe, data: { ...rest, calibration: { npz: calibration } } }, graph);
const { size } = data.calibration;
const counted = { ...recipe, quantize: { ...recipe.quantize, samples: size } };
const made = await runPasses(graph, passesOf(counted, loadTarget(recipe.target)), {
  ...{ calibration: data.calibration, jobs: recipe.jobs, seed: recipe.seed, execute: loadInteger },
});
writeFileSync(out, encodeRecord(made.graph));
const ms = Math.round(performance.now() - start);
const peakRssBytes = process.resourceUsage().maxRSS * 1024;
const settings = values.set.length > 0 ? values.set.join(" ") : "the recipe's";
console.log(JSON.stringify({ peer: "optimus-compile", settings, ms, peakRssBytes }));
