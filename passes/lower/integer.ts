import { z } from "zod";
import type { Pass } from "../../src/pass.ts";
import { lowerToInteger } from "../../src/quant/lower.ts";
import { refuseNarrow } from "../../src/quant/narrow.ts";
import type { Range } from "../../src/quant/ranges.ts";

const options = z
  .object({
    round: z.enum(["tosa-single", "tosa-double", "ort-f32-rne"]).default("tosa-single"),
    int4Activations: z.boolean().default(true),
    accumulatorBits: z.number().int().min(16).max(32).default(32),
  })
  .strict();

/** Key of the note in which `quantize/int8` leaves the ranges of values that are never stored. */
export const INNER_RANGES = "quantize/inner-ranges";

const pass: Pass<z.infer<typeof options>> = {
  summary: "Says the quantized graph with the chip's integer operators; what has no integer form stays for the CPU.",
  options,
  lossy: true,
  run(graph, context) {
    const ranges = readRanges(graph.metadata.get(INNER_RANGES));
    const { int4Activations, ...arithmetic } = context.options;
    if (!int4Activations) refuseNarrow(graph);
    const { graph: lowered, left } = lowerToInteger(graph, { ...arithmetic, ranges });
    for (const { node, reason } of left) {
      context.log.warn(`${node.origin[0] ?? node.outputs[0]} (${node.op}) stays on the CPU: ${reason}`);
    }
    context.notes(
      "lower/cpu",
      left.map(({ node, reason }) => ({ node: node.origin[0] ?? node.outputs[0], op: node.op, reason })),
    );
    const metadata = new Map([...lowered.metadata].filter(([key]) => key !== INNER_RANGES));
    return { ...lowered, metadata };
  },
};

function readRanges(text: string | undefined): Map<string, Range> {
  return new Map(text === undefined ? [] : (JSON.parse(text) as [string, Range][]));
}

export default pass;
