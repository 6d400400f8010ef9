import { floatsAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { float32, numbersOf } from "../../ir/tensor.ts";
import { type ConvertContext, type Family, hintOf, withAttrs } from "./conversion.ts";

/** Upsample and the first Resize: output pixel i reads input pixel i / scale. */
function asymmetric(node: Node, scales: string, context: ConvertContext): Node {
  const known = context.constant(scales);
  const shrinks = known !== undefined && numbersOf(known).some((scale) => scale < 1);
  const nearest = stringAttr(node, "mode", "nearest") === "nearest";
  return {
    ...withAttrs(node, {
      scales: undefined,
      // Opset 7 to 10 did not say how to round. ONNX Runtime: down to enlarge, up to shrink.
      ...(nearest && { nearest_mode: { s: shrinks ? "ceil" : "floor" } }),
      coordinate_transformation_mode: { s: "asymmetric" },
      // The old word for it.
      ...(stringAttr(node, "mode", "nearest") === "bilinear" && { mode: { s: "linear" } }),
    }),
    op: "Resize",
    inputs: [node.inputs[0], "", scales],
  };
}

export const resize: Family = {
  Upsample: [
    {
      before: 26,
      convert(node, context) {
        const values = floatsAttr(node, "scales");
        const scales = values
          ? context.add(`${hintOf(node)}/scales`, float32([values.length], values))
          : (node.inputs[1] ?? "");
        return asymmetric(node, scales, context);
      },
    },
  ],
  Resize: [{ before: 11, convert: (node, context) => asymmetric(node, node.inputs[1] ?? "", context) }],
  GridSample: [
    {
      before: 20,
      convert(node) {
        const mode = stringAttr(node, "mode", "bilinear");
        return withAttrs(node, { mode: { s: mode === "bilinear" ? "linear" : mode === "bicubic" ? "cubic" : mode } });
      },
    },
  ],
  RoiAlign: [
    {
      before: 16,
      convert: (node) => withAttrs(node, { coordinate_transformation_mode: { s: "output_half_pixel" } }),
    },
  ],
};
