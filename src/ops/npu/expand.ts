import { intsAttr } from "../../ir/graph.ts";
import { broadcastShapes } from "../shared/index.ts";
import { moves } from "../shared/npu/move.ts";
import { reject } from "../shared/types.ts";

/** x repeated to the shape that it and `shape` broadcast to. */
export default moves((node, from) => {
  const target = intsAttr(node, "shape") ?? reject(node, "the attribute shape is missing");
  const shape = broadcastShapes(node, [from, target]);
  const missing = shape.length - from.length;
  return { shape, from: (index) => from.map((size, axis) => (size === 1 ? 0 : index[axis + missing])) };
});
