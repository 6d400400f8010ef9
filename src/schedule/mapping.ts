/** How depthwise convolutions are put on the chip: on the array in one of two ways, on the vector unit, or on both. */
import { convMappings, engineCycles } from "../emulate/cycles.ts";
import { type Graph, intAttr, type Node } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import type { MappedPart } from "./jobs/linear.ts";
import type { CommandBody } from "./program.ts";

/** A part of fewer channels than this is not worth a command. */
const FEWEST_CHANNELS = 4;

/** The part of the producer's time that the vector unit can use already, following tile by tile while the array cannot. */
const LEAD = 0.66;

function arrayCycles(command: CommandBody | undefined, target: Target): number {
  return command?.engine === "array" ? engineCycles(command, target) : 0;
}

/**
 * Channels of a depthwise layer do not know each other: the array takes some, by its better mapping, while the vector unit
 * takes the rest, so many that both end together. Neighbouring layers wait for it anyway, so either would stand idle.
 * `commandOf` gives the whole layer as one command.
 */
export function chooseMappings(
  graph: Graph,
  commandOf: (node: Node) => CommandBody | undefined,
  target: Target,
): Map<Node, readonly MappedPart[]> {
  const mapped = new Map<Node, readonly MappedPart[]>();
  const makers = new Map(graph.nodes.map((node) => [node.outputs[0], node]));
  for (const node of graph.nodes) {
    if (node.domain !== "npu" || node.op !== "Conv" || intAttr(node, "group", 1) === 1) continue;
    const command = commandOf(node);
    if (command?.kind !== "conv") continue;
    const found = convMappings(command, target);
    const onVector = found.find(({ mapping }) => mapping === "vector");
    const onArray = found.filter(({ mapping }) => mapping !== "vector").reduce((a, b) => (b.cycles < a.cycles ? b : a));
    const channels = command.y.shape[1];
    const before = makers.get(node.inputs[0]);
    const lead = before === undefined ? 0 : LEAD * arrayCycles(commandOf(before), target);
    const share = onVector === undefined ? 0 : (onArray.cycles + lead) / (onArray.cycles + onVector.cycles);
    const away = Math.round(channels * Math.min(1, share));
    const vector = { mapping: "vector", block: 1 } as const;
    const array = { mapping: onArray.mapping, block: onArray.block };
    if (away < FEWEST_CHANNELS) mapped.set(node, [{ ...array, start: 0, count: channels }]);
    else if (channels - away < FEWEST_CHANNELS) mapped.set(node, [{ ...vector, start: 0, count: channels }]);
    else {
      // The first channels are made first: the vector unit follows the producer while the array is still at it.
      mapped.set(node, [
        { ...vector, start: 0, count: away },
        { ...array, start: away, count: channels - away },
      ]);
    }
  }
  return mapped;
}
