/** How depthwise convolutions are put on the chip: on the array in one of two ways, on the vector unit, or on both. */
import { convMappings, engineCycles } from "../emulate/cycles.ts";
import { type Graph, intAttr, type Node } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import type { Mapped, MappedPart } from "./jobs/linear.ts";
import type { CommandBody } from "./program.ts";

/** A part of fewer channels than this is not worth a command. */
const FEWEST_CHANNELS = 4;

/** The part of the layer before that the vector unit can use already, following tile by tile while the array cannot. */
const LEAD = 0.9;

/** A depthwise layer, all of whose channels either unit could take. */
export interface Divisible {
  readonly node: Node;
  readonly channels: number;
  /** Whether each result reads a channel of its own; else the layer goes to one unit whole. */
  readonly isDivisible: boolean;
  readonly array: Mapped & { readonly cycles: number };
  readonly vectorCycles: number;
  /** How many channels the vector unit takes, if both are to end together. */
  readonly share: number;
}

/** The grouped convolutions of a graph; `commandOf` gives a whole layer as one command. */
export function divisibleLayers(
  graph: Graph,
  commandOf: (node: Node) => CommandBody | undefined,
  target: Target,
): Divisible[] {
  const makers = new Map(graph.nodes.map((node) => [node.outputs[0], node]));
  const arrayCycles = (node: Node | undefined): number => {
    const command = node && commandOf(node);
    return command?.engine === "array" ? engineCycles(command, target) : 0;
  };
  return graph.nodes.flatMap((node) => {
    if (node.domain !== "npu" || node.op !== "Conv" || intAttr(node, "group", 1) === 1) return [];
    const command = commandOf(node);
    if (command?.kind !== "conv") return [];
    const found = convMappings(command, target);
    const onVector = found.find(({ mapping }) => mapping === "vector");
    const array = found.filter(({ mapping }) => mapping !== "vector").reduce((a, b) => (b.cycles < a.cycles ? b : a));
    const channels = command.y.shape[1];
    const vectorCycles = onVector?.cycles ?? Number.POSITIVE_INFINITY;
    const lead = LEAD * arrayCycles(makers.get(node.inputs[0]));
    const share = channels * Math.min(1, (array.cycles + lead) / (array.cycles + vectorCycles));
    const isDivisible = channels === intAttr(node, "group", 1);
    return [{ node, channels, isDivisible, array, vectorCycles, share }];
  });
}

/**
 * Channels of a depthwise layer do not know each other: the vector unit takes some (`shares`) while the array takes the
 * rest, by its better mapping. Neighbouring layers wait for it anyway, so either would stand idle.
 */
export function mappingsOf(layers: readonly Divisible[], shares: readonly number[]): Map<Node, readonly MappedPart[]> {
  return new Map(
    layers.map((layer, at) => {
      const { node, channels, isDivisible } = layer;
      const quantum = isDivisible ? 1 : channels;
      const away = Math.round(shares[at] / quantum) * quantum;
      const vector = { mapping: "vector", block: 1 } as const;
      const array = { mapping: layer.array.mapping, block: layer.array.block };
      if (away < FEWEST_CHANNELS) return [node, [{ ...array, start: 0, count: channels }]];
      if (channels - away < FEWEST_CHANNELS) return [node, [{ ...vector, start: 0, count: channels }]];
      // The first channels are made first: the vector unit follows the producer while the array is still at it.
      return [
        node,
        [
          { ...vector, start: 0, count: away },
          { ...array, start: away, count: channels - away },
        ],
      ];
    }),
  );
}
