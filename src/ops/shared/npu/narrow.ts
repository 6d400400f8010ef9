/** Activations of 4 bits in an integer graph: int8 whose codes are −8 to 7. */
import { type Graph, intAttr, type Node } from "../../../ir/graph.ts";
import { numbersOf } from "../../../ir/tensor.ts";

/** Operators whose results are among their inputs' codes. */
const CHOOSING: ReadonlySet<string> = new Set(
  "Reshape Transpose Slice Concat Expand Gather MaxPool Max Min ReduceMax ReduceMin".split(" "),
);

/** Names of the values that can hold no more than these 16 codes, by what their makers clamp to. */
export function narrowValues(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const node of graph.nodes) {
    if (node.domain !== "npu" || graph.types.get(node.outputs[0])?.dtype !== "int8") continue;
    if (isNarrow(node, graph, found)) found.add(node.outputs[0]);
  }
  return found;
}

function isNarrow(node: Node, graph: Graph, known: ReadonlySet<string>): boolean {
  if (node.attrs.has("y_min")) return intAttr(node, "y_min", -128) >= -8 && intAttr(node, "y_max", 127) <= 7;
  if (node.op === "Table") {
    const table = graph.constants.get(node.inputs[1]);
    return table !== undefined && numbersOf(table).every((code) => code >= -8 && code <= 7);
  }
  const read = node.op === "Gather" ? node.inputs.slice(0, 1) : node.inputs;
  return CHOOSING.has(node.op) && read.every((name) => known.has(name));
}
