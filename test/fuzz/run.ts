/**
 * Random small graphs on random chips (`npm run test:fuzz -- [--graphs N] [--seed S]`): the machine executor in program order
 * and in another legal order, the integer executor and the interpreter give the same codes, the checker finds no fault.
 * A failure is shrunk to fewer steps and a plainer chip. The last line says how many graphs passed.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { agree, type Drawn, LIMITS, type Outcome } from "./agree.ts";

const { values } = parseArgs({ options: { graphs: { type: "string" }, seed: { type: "string" } } });
const graphs = Number(values.graphs ?? 1000);

const drawn: fc.Arbitrary<Drawn> = fc.record({
  seed: fc.nat(),
  steps: fc.integer({ min: 1, max: 10 }),
  chip: fc.nat(LIMITS.chip),
  sram: fc.nat(LIMITS.sram),
  npus: fc.integer({ min: 1, max: LIMITS.npus }),
  cascades: fc.nat(LIMITS.cascades),
});

const counts: Record<Outcome, number> = { agreed: 0, refused: 0 };
const started = process.cpuUsage();
// Refused graphs are drawn again, so that as many run as were asked for.
const property = fc.property(drawn, (one) => {
  const outcome = agree(one);
  counts[outcome]++;
  return fc.pre(outcome === "agreed");
});
const result = fc.check(property, {
  numRuns: graphs,
  seed: Number(values.seed ?? 0),
  maxSkipsPerRun: 10,
});
const { user, system } = process.cpuUsage(started);
if (result.failed) console.log(fc.defaultReportMessage(result), result.errorInstance);
console.log(`${counts.refused} refused by their chip, ${((user + system) / 1e6).toFixed(0)} s of CPU`);
console.log(`${result.numRuns - (result.failed ? 1 : 0)} passed, ${result.failed ? 1 : 0} failed`);
process.exitCode = result.failed ? 1 : 0;
