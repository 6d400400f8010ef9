import { intsAttr } from "../../ir/graph.ts";
import { moves } from "../shared/npu/move.ts";
import { reject } from "../shared/types.ts";

/** `perm[i]` is the input's axis that becomes axis i. */
export default moves((node, from) => {
  const perm = intsAttr(node, "perm") ?? from.map((_, axis) => from.length - 1 - axis);
  if ([...perm].sort((a, b) => a - b).some((axis, at) => axis !== at) || perm.length !== from.length) {
    reject(node, `perm [${perm}] is no permutation of ${from.length} axes`);
  }
  return {
    shape: perm.map((axis) => from[axis]),
    from(index) {
      const source = new Array<number>(from.length);
      for (let axis = 0; axis < perm.length; axis++) source[perm[axis]] = index[axis];
      return source;
    },
  };
});
