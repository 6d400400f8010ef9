/**
 * The slow checks: `npm run acceptance -- [names] [--samples N]`, and options of single checks. One line a check; the last says how many passed.
 */
import { parseArgs } from "node:util";
import { agreement } from "./agreement.ts";
import { allocation } from "./allocate.ts";
import { backend } from "./backend.ts";
import type { AcceptanceCheck, AcceptanceOptions } from "./check.ts";
import { checker } from "./checker.ts";
import { controls } from "./controls.ts";
import { determinism } from "./determinism.ts";
import { distillation } from "./distillation.ts";
import { escalation } from "./escalation.ts";
import { gradients } from "./gradients.ts";
import { hostile } from "./hostile.ts";
import { kills } from "./kills.ts";
import { lowering } from "./lowering.ts";
import { ocrStudent } from "./ocr-student.ts";
import { optimum } from "./optimum.ts";
import { quantization } from "./quantization.ts";
import { rebuild } from "./rebuild.ts";
import { recipes } from "./recipes.ts";
import { search } from "./search.ts";
import { statistics } from "./statistics.ts";
import { targets } from "./targets.ts";
import { unseen } from "./unseen.ts";
import { worstCase } from "./worst-case.ts";

const checks: Readonly<Record<string, AcceptanceCheck>> = {
  agreement,
  allocate: allocation,
  backend,
  checker,
  controls,
  determinism,
  distillation,
  escalation,
  gradients,
  kills,
  lowering,
  "ocr-student": ocrStudent,
  optimum,
  quantization,
  rebuild,
  recipes,
  hostile,
  search,
  statistics,
  targets,
  unseen,
  "worst-case": worstCase,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: "string" },
    first: { type: "string" },
    teacher: { type: "string" },
    format: { type: "string" },
    part: { type: "string" },
    seeds: { type: "string" },
    split: { type: "string" },
    set: { type: "string", multiple: true },
  },
});
const { samples, first, seeds, split, ...named } = values;
if (split !== undefined && split !== "selection" && split !== "certification") {
  console.error("--split is selection or certification");
  process.exit(2);
}
const options: AcceptanceOptions = {
  ...named,
  ...(samples !== undefined && { samples: Number(samples) }),
  ...(first !== undefined && { first: Number(first) }),
  ...(seeds !== undefined && { seeds: Number(seeds) }),
  ...(split !== undefined && { split }),
};
const wanted = positionals.length === 0 ? Object.keys(checks) : positionals;
const unknown = wanted.filter((name) => !Object.hasOwn(checks, name));
if (unknown.length > 0) {
  console.error(`there is no check ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`);
  process.exit(2);
}

let [passed, failed] = [0, 0];
for (const name of wanted) {
  for await (const { name: what, good, says, figures } of checks[name](options)) {
    if (figures) console.log(JSON.stringify({ check: name, good, ...figures, says }));
    else console.log(`${good ? "ok  " : "FAIL"} ${name}: ${what}: ${says}`);
    if (good) passed++;
    else failed++;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
