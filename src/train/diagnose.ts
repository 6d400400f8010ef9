/** Where a number that is not finite comes from: asked once, when a training has diverged. */
import { type Graph, type Tensor, typeOf } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession } from "../run/ort.ts";

/**
 * The first value of a step, in the order of its nodes, that holds a NaN, as words: `Log "y" of layer3`. Where there is no
 * NaN, the first with an infinity, which masks have by right. What the step was fed is looked at before. Undefined where all
 * is finite. Runs the step once more with every value as an output.
 */
export async function firstNotFinite(step: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<string | undefined> {
  const isFloat32 = (name: string): boolean => typeOf(step, name)?.dtype === "float32";
  const fed = [...feeds].find(([name, tensor]) => isFloat32(name) && !allFinite(tensor));
  if (fed) return `what "${fed[0]}" is fed`;
  const makers = new Map(step.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  makers.delete("");
  const watched = [...makers.keys()].filter(isFloat32);
  const session = await createSession(encodeModel({ ...step, outputs: watched }), { optimization: "disabled" });
  try {
    const values = await session.run(feeds);
    const holding = (wanted: (value: number) => boolean): string | undefined =>
      watched.find((name) => (valuesOf(values.get(name) as Tensor) as Float32Array).some(wanted));
    const found = holding(Number.isNaN) ?? holding((value) => !Number.isFinite(value));
    if (found === undefined) return undefined;
    const node = makers.get(found);
    const layer = node?.origin.find((name) => name !== "" && name !== found);
    return `${node?.op} "${found}"${layer === undefined ? "" : ` of ${layer}`}`;
  } finally {
    await session.release();
  }
}

function allFinite(tensor: Tensor): boolean {
  return (valuesOf(tensor) as Float32Array).every(Number.isFinite);
}
