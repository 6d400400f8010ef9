import { CompileError } from "../error.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { constraintsOf, unitOf } from "./constraints.ts";
import type { Target } from "./schema.ts";

export interface Placed {
  readonly node: Node;
  readonly where: "npu" | "vector" | "cpu";
  /** Why the node is not on the chip, and what would bring it there. */
  readonly reason?: string;
  readonly remedy?: string;
}

export interface PlacementOptions {
  /** Whether nodes may run on the host's CPU. */
  readonly allowCpu?: boolean;
}

function nameOf(node: Node): string {
  return node.origin[0] ?? node.outputs.find((name) => name !== "") ?? node.op;
}

function place(node: Node, graph: Graph, target: Target): Placed {
  const unit = unitOf(node);
  if (unit === undefined) {
    const known = node.domain === "npu";
    return {
      node,
      where: "cpu",
      reason: known
        ? `the chip has no operator npu.${node.op}`
        : `${node.op} stayed in floating point: it was not lowered to the chip's integer operators`,
      remedy: known
        ? "use the operators listed by `optimus-compile targets show`"
        : "calibrate and quantize its inputs and outputs, rewrite it with supported operators, or set allowCpu: true",
    };
  }
  for (const constraint of constraintsOf(node.op, target)) {
    if (constraint.holds(node, graph)) continue;
    return {
      node,
      where: "cpu",
      reason: `it breaks a rule of ${target.name}: ${constraint.says}`,
      remedy: "change the layer so that the rule holds",
    };
  }
  return { node, where: unit === "array" ? "npu" : "vector" };
}

/**
 * Where every node runs, in the graph's order. Throws model/cpu-fallback, which lists the nodes, each with its reason,
 * unless the recipe allows the CPU; a node of the `npu` domain that breaks a constraint cannot run anywhere else.
 */
export function placement(graph: Graph, target: Target, options: PlacementOptions = {}): Placed[] {
  const placed = graph.nodes.map((node) => place(node, graph, target));
  const refused = placed.filter(({ where, node }) => where === "cpu" && (!options.allowCpu || node.domain === "npu"));
  if (refused.length === 0) return placed;
  const shown = refused.slice(0, 8).map(({ node, reason }) => `${nameOf(node)} (${node.op}): ${reason}`);
  const rest = refused.length > shown.length ? `\n… and ${refused.length - shown.length} more` : "";
  throw new CompileError(
    "model/cpu-fallback",
    `${refused.length} of ${graph.nodes.length} nodes cannot run on ${target.name}:\n${shown.join("\n")}${rest}`,
    { where: nameOf(refused[0].node), remedy: refused[0].remedy },
  );
}
