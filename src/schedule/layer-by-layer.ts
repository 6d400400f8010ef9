import type { Graph } from "../ir/graph.ts";
import { placement } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import { lowerGraph } from "./lower.ts";
import { bytesOfBox, wholeBox } from "./view.ts";

/**
 * DRAM traffic of an integer graph whose layers know nothing of each other, in bytes: each reads its inputs and constants
 * once and writes its output once, as if its own tiling never had to fetch anything again. Concatenations, reshapes, slices
 * and copies count nothing, and what the graph has fused already (bias, requantization, activation) is part of its layer:
 * no schedule that goes through DRAM between layers does with less.
 */
export function layerByLayerBytes(graph: Graph, target: Target): number {
  const lowered = lowerGraph(graph, placement(graph, target, { allowCpu: false }), new Map());
  let bytes = 0;
  for (const job of lowered.jobs) {
    if (job.kind === "cpu") continue;
    const box = wholeBox(job.output.shape);
    const command = job.command(
      box,
      job.inputs.map(
        (view) =>
          view && { space: "sram", address: 0, dtype: view.root.dtype, shape: view.shape, strides: view.strides },
      ),
      { space: "sram", address: 0, dtype: job.output.root.dtype, shape: job.output.shape, strides: job.output.strides },
    );
    if (command.kind === "move" || command.kind === "fill") continue;
    bytes += bytesOfBox(job.output.root.dtype, box);
    job.needs(box).forEach((need, input) => {
      const view = job.inputs[input];
      if (view && need) bytes += bytesOfBox(view.root.dtype, need);
    });
  }
  return bytes;
}
