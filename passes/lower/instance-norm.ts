import { rebuild } from "../../src/ir/build.ts";
import { elementCount, floatAttr, intAttr, isStatic, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * InstanceNormalization and GroupNormalization standardise runs of neighbouring numbers: a channel's plane, or several. Seen as
 * rows these are LayerNormalization without a gain; the gain and shift of each channel follow.
 */
const pass: Pass = {
  summary:
    "Makes InstanceNormalization and GroupNormalization a LayerNormalization over rows and an affine map a channel.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      const isGroup = node.op === "GroupNormalization";
      if (node.domain !== "" || !(isGroup || node.op === "InstanceNormalization")) return false;
      const type = typeOf(graph, node.inputs[0]);
      if (!isStatic(type?.shape) || type.dtype !== "float32") return false;
      const { shape } = type;
      const [batch, channels] = shape;
      const groups = isGroup ? intAttr(node, "num_groups", 1) : channels;
      const length = elementCount(shape.slice(1)) / groups;
      const rows = build.reshape(node.inputs[0], [batch, groups, length]);
      const [ones, zeros] = [
        float32([length], new Float32Array(length).fill(1)),
        float32([length], new Float32Array(length)),
      ];
      const standard = build.node("LayerNormalization", [rows, ones, zeros], {
        axis: { i: 2 },
        epsilon: { f: floatAttr(node, "epsilon", 1e-5) },
        stash_type: { i: 1 },
      });
      const back = build.reshape(standard, shape);
      const perChannel = [channels, ...shape.slice(2).map(() => 1)];
      const scaled = build.node("Mul", [back, build.reshape(node.inputs[1], perChannel)]);
      build.node("Add", [scaled, build.reshape(node.inputs[2], perChannel)], {}, node.outputs[0]);
      return true;
    }),
};

export default pass;
