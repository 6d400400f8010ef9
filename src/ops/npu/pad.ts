import { intAttr, intsAttr, stringAttr } from "../../ir/graph.ts";
import { moves } from "../shared/npu/move.ts";
import { reject } from "../shared/types.ts";

/** Adds cells around x: the code `value`, the mirrored inside (`reflect`) or the border (`edge`). Negative pads crop. */
export default moves((node, from) => {
  const pads = intsAttr(node, "pads") ?? reject(node, "the attribute pads is missing");
  const mode = stringAttr(node, "mode", "constant");
  const rank = from.length;
  if (pads.length !== rank * 2) reject(node, `pads has ${pads.length} entries; ${rank * 2} are needed`);
  const shape = from.map((size, axis) => size + pads[axis] + pads[axis + rank]);
  if (shape.some((size) => size < 1)) reject(node, `the result would have the shape [${shape}]`);

  const place = (at: number, size: number): number | undefined => {
    if (at >= 0 && at < size) return at;
    if (mode === "edge") return at < 0 ? 0 : size - 1;
    if (mode === "constant") return undefined;
    // Reflection without the border repeats with period 2·(size − 1).
    const period = Math.max(1, 2 * (size - 1));
    const turn = ((at % period) + period) % period;
    return turn < size ? turn : period - turn;
  };
  if (mode !== "constant" && mode !== "edge" && mode !== "reflect") reject(node, `the mode "${mode}" is not known`);
  return {
    shape,
    constant: intAttr(node, "value", 0),
    from(index) {
      const source = index.map((at, axis) => place(at - pads[axis], from[axis]));
      return source.every((at) => at !== undefined) ? source : undefined;
    },
  };
});
