import { createHash } from "node:crypto";
import type { Graph, Tensor } from "./graph.ts";
import { bytesOf } from "./tensor.ts";
import { print } from "./text.ts";

/** Tensors live through many graphs, and never change. */
const known = new WeakMap<object, string>();

/** `sha256:…` of what the graph says: its canonical text, and the bytes of the tensors that do not stand in it. */
export function graphDigest(graph: Graph): string {
  const tensors: Tensor[] = [];
  const hash = createHash("sha256").update(print(graph, { tensors }));
  for (const tensor of tensors) hash.update(`\0${tensor.dtype} ${tensor.shape.join("x")} ${contentOf(tensor)}`);
  return `sha256:${hash.digest("hex")}`;
}

function contentOf(tensor: Tensor): string {
  const { data } = tensor;
  const before = known.get(data);
  if (before !== undefined) return before;
  const bytes = tensor.dtype === "string" ? JSON.stringify(data) : bytesOf(tensor);
  const digest = createHash("sha256").update(bytes).digest("hex");
  known.set(data, digest);
  return digest;
}
