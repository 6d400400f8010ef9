/** The weighted negative log likelihood of classes (axis 1), for the two loss operators. */
import { type DType, elementCount, intAttr, type Node, stringAttr, type Tensor, type Type } from "../../ir/graph.ts";
import { makeType, reject } from "./types.ts";
import { doublesOf, fromDoubles, integersOf } from "./values.ts";

function reductionOf(node: Node): string {
  const name = stringAttr(node, "reduction", "mean");
  return ["mean", "sum", "none"].includes(name) ? name : reject(node, `the reduction ${name} is not known`);
}

/** Type of the loss: the targets' shape, or a scalar if it is reduced. */
export function lossType(node: Node, dtype: DType, targets: Type): Type {
  return makeType(dtype, reductionOf(node) === "none" ? targets.shape : []);
}

/** `−weight[t] · logProbability[t]` of each target t; the mean divides by the weights; `ignore_index` counts nothing. */
export function likelihoodLoss(node: Node, logs: Tensor, targets: Tensor, weights: Tensor | undefined): Tensor {
  const [classes, inner] = [logs.shape[1], elementCount(logs.shape.slice(2))];
  const values = doublesOf(logs);
  const weight = weights && doublesOf(weights);
  const ignored = node.attrs.has("ignore_index") ? intAttr(node, "ignore_index", 0) : undefined;
  let total = 0;
  let mass = 0;
  const losses = integersOf(targets).map((target, index) => {
    if (target === ignored) return 0;
    if (!(target >= 0 && target < classes)) reject(node, `the target ${target} is none of ${classes} classes`);
    const each = weight ? weight[target] : 1;
    const loss = -each * values[(Math.floor(index / inner) * classes + target) * inner + (index % inner)];
    total += loss;
    mass += each;
    return loss;
  });
  const reduction = reductionOf(node);
  if (reduction === "none") return fromDoubles(logs.dtype, targets.shape, losses);
  return fromDoubles(logs.dtype, [], [reduction === "sum" ? total : total / mass]);
}
