import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { latencyOf } from "../../src/latency.ts";
import { residualBlocks } from "../../src/student/blocks.ts";
import { deriveStudent, type StudentSpec } from "../../src/student/derive.ts";
import { builder } from "./graphs.ts";

/** Three residual blocks, of which the second adds next to nothing, on 32 channels, the first 16 of which nobody reads with weight. */
function network(): Graph {
  const { emit, constant, graph } = builder("residual");
  const random = seededRandom("weights");
  const weights = (rows: number, columns: number, scale: (row: number, column: number) => number) =>
    constant(
      float32(
        [rows, columns, 1, 1],
        Array.from({ length: rows * columns }, (_, at) => {
          return (random() - 0.5) * scale(Math.floor(at / columns), at % columns);
        }),
      ),
    );
  let [now] = emit("Relu", emit("Conv", ["x", weights(32, 8, () => 1)]));
  for (const size of [1, 1e-6, 1]) {
    const read = (_: number, column: number): number => size * (column < 16 ? 1e-3 : 1);
    const [hidden] = emit("Relu", emit("Conv", [now, weights(24, 32, read)]));
    [now] = emit("Relu", emit("Add", [emit("Conv", [hidden, weights(32, 24, () => 1)])[0], now]));
  }
  const [pooled] = emit(
    "GlobalAveragePool",
    emit("Conv", [now, weights(6, 32, (_, column) => (column < 16 ? 1e-3 : 1))]),
  );
  const [scores] = emit("Flatten", [pooled]);
  return graph([{ name: "x", shape: [4, 8, 6, 6] }], [scores]);
}

const batches = [0, 1].map((at): Map<string, Tensor> => {
  const random = seededRandom(`batch ${at}`);
  return new Map([
    [
      "x",
      float32(
        [4, 8, 6, 6],
        Array.from({ length: 4 * 8 * 36 }, () => random() - 0.5),
      ),
    ],
  ]);
});
const derive = (spec: Partial<StudentSpec>, latency?: (graph: Graph) => Promise<number>) =>
  deriveStudent(network(), { multiple: 8, ...spec }, { batches, ...(latency && { latency }) });
const channelsOf = (graph: Graph): number[] =>
  graph.nodes.flatMap(({ op, outputs }) => (op === "Conv" ? [Number(graph.types.get(outputs[0])?.shape?.[1])] : []));

describe("a student of a residual network", () => {
  it("loses the block that does least first", async () => {
    expect(residualBlocks(network())).toHaveLength(3);
    const { graph, report } = await derive({ layers: 0.67 });
    expect(report.blocks.map(({ dropped }) => dropped)).toEqual([true, false, false]);
    expect(report.blocks[0].name).toBe("node10");
    expect(report.blocks[0].effect).toBeLessThan(1e-6);
    expect(residualBlocks(graph).map(({ name }) => name)).toEqual(["node5", "node15"]);
  });

  it("keeps the channels that its readers hear, in multiples of 8", async () => {
    const { graph, report } = await derive({ width: 0.5 });
    expect(channelsOf(graph)).toEqual([16, 16, 16, 16, 16, 16, 16, 6]);
    expect(report.groups[0]).toMatchObject({ teacher: 32, student: 16 });
    const kept = graph.constants.get("c0")?.data;
    const whole = network().constants.get("c0")?.data as Float32Array;
    expect(kept).toEqual(whole.slice(16 * 8));
  });

  it("is as large as its goal allows", async () => {
    const { report } = await derive({ macs: 0.4 });
    const share = report.macs.student / report.macs.teacher;
    expect(share).toBeLessThanOrEqual(0.4);
    expect(share).toBeGreaterThan(0.33);
    expect(report.groups.every(({ student }) => student % 8 === 0)).toBe(true);
  });

  it("loses blocks where channels are not enough, and is refused where those are not", async () => {
    const { report } = await derive({ macs: 0.055 });
    expect(report.blocks.some(({ dropped }) => dropped)).toBe(true);
    await expect(derive({ macs: 0.0001 })).rejects.toMatchObject({ code: "usage/student-too-large" });
  });

  it("is sized by the scheduler's cycles", async () => {
    const latency = latencyOf("ai4", new Map([["x", float32([1, 8, 6, 6], new Float32Array(288).fill(0.5))]]));
    const free = { ...network(), types: new Map([["x", { dtype: "float32" as const, shape: ["batch", 8, 6, 6] }]]) };
    const whole = await latency(free);
    const goal = whole * 0.6;
    const { graph, report } = await deriveStudent(free, { multiple: 8, maxMs: goal }, { batches, latency });
    expect(await latency(graph)).toBe(report.ms);
    expect(report.ms).toBeLessThanOrEqual(goal);
    expect(report.ms).toBeGreaterThan(goal * 0.6);
  });
});
