import { type Builder, rebuild } from "../../src/ir/build.ts";
import { floatAttr, type Graph, intAttr, isStatic, type Node, typeOf } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** What a score must lose for its weight to be nothing: e^−128 is far below what any format here can say. */
const MASKED = -128;

/**
 * `softmax(scale·QKᵀ + mask)·V` over heads, with keys and values shared by groups of heads (ONNX Attention, opset 23). The scale goes
 * to Q, which is smaller than the scores.
 */
const pass: Pass = {
  summary: "Takes Attention apart into products, a mask and a Softmax.",
  run: (graph) =>
    rebuild(graph, (node, build) => node.op === "Attention" && node.domain === "" && takeApart(graph, node, build)),
};

export default pass;

function takeApart(graph: Graph, node: Node, build: Builder): boolean {
  const types = node.inputs.map((name) => (name === "" ? undefined : typeOf(graph, name)));
  const [q, k, v, mask] = types.map((type) => type?.shape);
  // Caches, lengths, caps and second outputs are said by models that run token by token.
  const plain = node.inputs.slice(4).every((name) => name === "") && node.outputs.slice(1).every((name) => name === "");
  if (!plain || !isStatic(q) || !isStatic(k) || !isStatic(v) || types[0]?.dtype !== "float32") return false;
  if (floatAttr(node, "softcap", 0) !== 0 || (node.inputs[3] && (!isStatic(mask) || types[3]?.dtype !== "float32")))
    return false;
  const flat = q.length === 3;
  const heads = flat ? intAttr(node, "q_num_heads", 1) : q[1];
  const shared = flat ? intAttr(node, "kv_num_heads", 1) : k[1];
  const batch = q[0];
  const [queries, keys] = flat ? [q[1], k[1]] : [q[2], k[2]];
  const size = flat ? q[2] / heads : q[3];
  const width = flat ? v[2] / shared : v[3];
  const headed = (name: string, count: number, length: number, each: number) =>
    flat
      ? build.node("Transpose", [build.reshape(name, [batch, length, count, each])], { perm: { ints: [0, 2, 1, 3] } })
      : name;
  const repeated = (name: string, length: number, each: number) => {
    if (shared === heads) return name;
    const grouped = build.reshape(name, [batch, shared, 1, length, each]);
    const copies = new Array<string>(heads / shared).fill(grouped);
    return build.reshape(build.node("Concat", copies, { axis: { i: 2 } }), [batch, heads, length, each]);
  };
  const scale = node.attrs.has("scale") ? floatAttr(node, "scale", 1) : 1 / Math.sqrt(size);
  const scaled = build.node("Mul", [headed(node.inputs[0], heads, queries, size), float32([], [scale])]);
  const columns = build.node("Transpose", [repeated(headed(node.inputs[1], shared, keys, size), keys, size)], {
    perm: { ints: [0, 1, 3, 2] },
  });
  let scores = build.node("MatMul", [scaled, columns]);
  if (node.inputs[3]) scores = build.node("Add", [scores, node.inputs[3]]);
  if (intAttr(node, "is_causal", 0) !== 0) scores = build.node("Add", [scores, causal(queries, keys)]);
  const weights = build.node("Softmax", [scores], { axis: { i: -1 } });
  const values = repeated(headed(node.inputs[2], shared, keys, width), keys, width);
  const product = build.node("MatMul", [weights, values], {}, flat ? undefined : node.outputs[0]);
  if (!flat) return true;
  const rows = build.node("Transpose", [product], { perm: { ints: [0, 2, 1, 3] } });
  build.reshape(rows, [batch, queries, heads * width], node.outputs[0]);
  return true;
}

function causal(queries: number, keys: number) {
  const values = Float32Array.from({ length: queries * keys }, (_, at) =>
    at % keys > Math.floor(at / keys) ? MASKED : 0,
  );
  return float32([queries, keys], values);
}
