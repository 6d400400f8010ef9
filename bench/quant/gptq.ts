/**
 * `gptq [--size N] [--block N] [--samples N] [--descent N]`: one layer of N×N weights (4096), int4 with multipliers for 128
 * positions, on synthetic inputs that share directions. `ms` is the rounding: the search of the grid, the factorization and GPTQ;
 * `gramMs` before it is the product of the inputs with themselves. Errors are relative to rounding to nearest on the same grid.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { seededRandom } from "../../src/ir/random.ts";
import { openAlgebra } from "../../src/quant/rounding/algebra.ts";
import { damped } from "../../src/quant/rounding/condition.ts";
import { outputError } from "../../src/quant/rounding/descent.ts";
import { roundToGrid } from "../../src/quant/rounding/matrix.ts";
import { roundMatrix } from "../../src/quant/rounding/round.ts";
import type { QuantBench } from "../quant.ts";

/** Directions that the inputs have in common. */
const CAUSES = 64;
const PIECE = 1024;

const bench: QuantBench = async (options) => {
  const { values } = parseArgs({
    args: [...options],
    options: {
      size: { type: "string", default: "4096" },
      block: { type: "string", default: "128" },
      samples: { type: "string", default: "8192" },
      descent: { type: "string", default: "0" },
    },
  });
  const [size, block, samples, passes] = [values.size, values.block, values.samples, values.descent].map(Number);
  const algebra = openAlgebra();
  const random = seededRandom("gptq");
  const bell = () => random() + random() + random() - 1.5;
  const matrix = { rows: size, depth: size, values: Float64Array.from({ length: size * size }, bell) };
  const gram = new Float64Array(size * size);
  let gramMs = 0;
  const mixing = Float64Array.from({ length: CAUSES * size }, bell);
  for (let done = 0; done < samples; done += PIECE) {
    const causes = Float64Array.from({ length: PIECE * CAUSES }, bell);
    const mixed = await algebra.multiply(causes, PIECE, CAUSES, mixing, size);
    const inputs = Float32Array.from(mixed, (value) => value / 4 + bell());
    const start = performance.now();
    const product = await algebra.correlate(inputs, inputs, 1, PIECE, size);
    for (let index = 0; index < gram.length; index++) gram[index] += product[index];
    gramMs += performance.now() - start;
  }
  const [start, before] = [performance.now(), process.cpuUsage()];
  const rounded = await roundMatrix(
    matrix,
    { gram, count: samples },
    {
      method: passes > 0 ? "gptq+descent" : "gptq",
      format: "int4",
      block,
      damping: 0.01,
      actOrder: true,
      passes,
      steps: 1,
    },
    algebra,
  );
  const ms = Math.round(performance.now() - start);
  const { user, system } = process.cpuUsage(before);
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const judged = damped(gram, size, 0);
  const nearest = roundToGrid(matrix, rounded.grid);
  const errors = [
    await outputError(matrix, rounded, judged, algebra),
    await outputError(matrix, nearest, judged, algebra),
  ];
  await algebra.release();
  return {
    ms,
    cpuMs: Math.round((user + system) / 1000),
    gramMs: Math.round(gramMs),
    size,
    block,
    samples,
    descent: passes,
    errorOverNearest: Number((errors[0] / errors[1]).toFixed(4)),
    peakRssBytes,
    threads: 1,
  };
};

export default bench;
