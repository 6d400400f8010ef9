/** `rtn [--rows N] [--depth N] [--block N]`: bytes of fp32 weights a second that one core rounds to nearest, int4 with multipliers. */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { quantizeInt4 } from "../../src/quant/int4.ts";
import type { QuantBench } from "../quant.ts";

const ROUNDS = 8;

const bench: QuantBench = async (options) => {
  const { values } = parseArgs({
    args: [...options],
    options: {
      rows: { type: "string", default: "4096" },
      depth: { type: "string", default: "4096" },
      block: { type: "string", default: "32" },
    },
  });
  const [rows, depth] = [Number(values.rows), Number(values.depth)];
  const block = Number(values.block) as 32 | 64 | 128;
  if (![32, 64, 128].includes(block)) throw new Error("--block is 32, 64 or 128");
  const random = seededRandom("rtn");
  const weights = Float32Array.from({ length: rows * depth }, () => random() + random() - 1);
  const tensor = makeTensor("float32", [rows, depth], weights);
  let [best, cpu] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    quantizeInt4(tensor, 0, block, "max");
    best = Math.min(best, performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu = Math.min(cpu, (user + system) / 1000);
  }
  return {
    bytesPerSecond: Math.round((weights.byteLength / best) * 1000),
    bytesPerCpuSecond: Math.round((weights.byteLength / cpu) * 1000),
    rows,
    depth,
    block,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    threads: 1,
  };
};

export default bench;
