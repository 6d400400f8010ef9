/** Activations of 4 bits, where a target has no use for them. */
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";

/** What a recipe can say in their place. */
export const INSTEAD =
  "use W4A8, which takes the same time and memory there and loses less; of the targets that ship ai5-preview takes 4-bit activations";

/** Throws usage/no-int4-activations for a quantized graph whose layers read 4 bits. */
export function refuseNarrow(graph: Graph): void {
  const name = [...graph.types].find(([, { dtype, quant }]) => dtype === "int4" && quant)?.[0];
  if (name === undefined) return;
  throw new CompileError("usage/no-int4-activations", `"${name}" is stored in 4 bits, which the target does not take`, {
    where: `value ${name}`,
    remedy: INSTEAD,
  });
}
