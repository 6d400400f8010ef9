/** How depthwise convolutions are put on the chip: on the array in one of two ways, or on the vector unit. */
import { convMappings, type MappingCost } from "../emulate/cycles.ts";
import { type Graph, intAttr, type Node } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { tileCycles } from "./grid.ts";
import type { Job } from "./job.ts";
import type { Mapped } from "./jobs/linear.ts";
import type { CommandBody } from "./program.ts";
import { wholeBox } from "./view.ts";

interface Choice {
  readonly node: Node;
  readonly onArray: MappingCost;
  readonly onVector: MappingCost;
}

/** Depthwise convolutions that may be mapped in more than one way. */
function isFlexible(node: Node): boolean {
  return node.domain === "npu" && node.op === "Conv" && intAttr(node, "group", 1) > 1;
}

/**
 * Starts with every depthwise layer on the array, by its better mapping there, then moves those to the vector unit that
 * it does relatively best, as long as the busier of the two units gets less to do. `jobs`: the graph lowered with any
 * mapping, for the load of the other layers; `commandOf` gives the whole layer as one command.
 */
export function chooseMappings(
  graph: Graph,
  jobs: readonly Job[],
  commandOf: (node: Node) => CommandBody | undefined,
  target: Target,
): Map<Node, Mapped> {
  const flexible = graph.nodes.filter(isFlexible);
  const mapped = new Map<Node, Mapped>();
  if (flexible.length === 0) return mapped;
  const choices: Choice[] = [];
  const loads = { array: 0, vector: 0 };
  for (const job of jobs) {
    if (job.kind === "cpu" || job.direct) continue;
    loads[job.engine === "array" ? "array" : "vector"] += tileCycles(job, wholeBox(job.output.shape), target);
  }
  for (const node of flexible) {
    const command = commandOf(node);
    if (command?.kind !== "conv") continue;
    const found = convMappings(command, target);
    const onVector = found.find(({ mapping }) => mapping === "vector");
    const onArray = found.filter(({ mapping }) => mapping !== "vector").reduce((a, b) => (b.cycles < a.cycles ? b : a));
    loads.array -= found[0].cycles;
    loads.array += onArray.cycles;
    mapped.set(node, { mapping: onArray.mapping, block: onArray.block });
    if (onVector) choices.push({ node, onArray, onVector });
  }
  choices.sort((a, b) => a.onVector.cycles / a.onArray.cycles - b.onVector.cycles / b.onArray.cycles);
  for (const { node, onArray, onVector } of choices) {
    const next = { array: loads.array - onArray.cycles, vector: loads.vector + onVector.cycles };
    if (Math.max(next.array, next.vector) >= Math.max(loads.array, loads.vector)) continue;
    [loads.array, loads.vector] = [next.array, next.vector];
    mapped.set(node, { mapping: "vector", block: 1 });
  }
  return mapped;
}
