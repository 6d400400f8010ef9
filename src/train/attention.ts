/**
 * Attention on the way back. A row of scores needs Σₖ dPₖ·Pₖ, a sum over the columns. With O = P·V and dP = dO·Vᵀ it is
 * Σₖ Pₖ Σ_d dO_d·Vₖ_d = Σ_d dO_d·O_d: a sum over a head's few channels (Dao et al. 2022, FlashAttention, appendix B).
 */
import { floatAttr, type Graph, intAttr, type Node } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { type Draft, draftOf, graphOf, putting, shapeOf } from "./drafting.ts";

/**
 * A step's graph in which Softmax's way back takes its row sums over the channels of what the shares were multiplied with:
 * `Sub(Mul(dP, P), Mul(P, ReduceSum(Mul(dP, P))))` with `dP = dO·Vᵀ` and `O = P·V` becomes `Mul(Sub(dP, ReduceSum(Mul(dO, O))), P)`.
 */
export function withShortRowSums(graph: Graph): Graph {
  const draft = draftOf(graph);
  const uses = countUses(graph);
  const products = new Map<string, Node>();
  for (const node of graph.nodes)
    if (node.op === "MatMul" && node.domain === "") products.set(JSON.stringify(node.inputs), node);
  let found = false;
  for (const node of graph.nodes) {
    if (rowSums(draft, node, uses, products)) found = true;
    else draft.nodes.push(node);
  }
  return found ? graphOf(draft) : graph;
}

function rowSums(
  draft: Draft,
  node: Node,
  uses: ReadonlyMap<string, number>,
  products: ReadonlyMap<string, Node>,
): boolean {
  const made = (name: string, op: string): Node | undefined => {
    const maker = draft.makers.get(name);
    return maker?.op === op && maker.domain === "" ? maker : undefined;
  };
  if (node.op !== "Sub" || node.domain !== "") return false;
  const [along, spread] = [made(node.inputs[0], "Mul"), made(node.inputs[1], "Mul")];
  const sum = spread && made(spread.inputs[1], "ReduceSum");
  if (along === undefined || sum?.inputs[0] !== along.outputs[0] || uses.get(along.outputs[0]) !== 2) return false;
  const [by, shares] = along.inputs;
  const back = draft.makers.get(by);
  if (spread?.inputs[0] !== shares || back?.op !== "FusedMatMul" || intAttr(back, "transB", 0) !== 1) return false;
  const axes = draft.graph.constants.get(sum.inputs[1] ?? "");
  const rank = shapeOf(draft, shares).length;
  if (axes === undefined || numbersOf(axes).join() !== `${rank - 1}` || intAttr(sum, "keepdims", 1) !== 1) return false;
  const [arriving, values] = back.inputs;
  const forward = products.get(JSON.stringify([shares, values]));
  const fits = forward !== undefined && shapeOf(draft, arriving).join() === shapeOf(draft, forward.outputs[0]).join();
  if (
    !fits ||
    intAttr(back, "transA", 0) !== 0 ||
    floatAttr(back, "alpha", 1) !== 1 ||
    (shapeOf(draft, values).at(-1) ?? 0) >= (shapeOf(draft, shares).at(-1) ?? 0)
  ) {
    return false;
  }
  const put = putting(draft, node);
  const short = put("Mul", [arriving, forward.outputs[0]]);
  const sums = put("ReduceSum", [short, sum.inputs[1]], { attributes: { keepdims: { i: 1 } } });
  put("Mul", [put("Sub", [by, sums]), shares], { output: node.outputs[0] });
  return true;
}
