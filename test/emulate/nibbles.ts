/** Codes of 4 bits that are packed at run time: alone, and as the right operand of products. */
import { attrs, type Graph, type Node } from "../../src/ir/graph.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { build, type Case, codes, type Draw } from "./cases.ts";
import { anyShape } from "./generators-rows.ts";

export function packNibbles(draw: Draw): Case {
  const shape = [...anyShape(draw, 3), 2 * draw.int(1, 9)];
  const limits = draw.pick([[-128, 127] as const, [-8, 7] as const]);
  return build({
    op: "PackNibbles",
    feeds: { x: codes(draw, "int8", shape, ...limits) },
    inputs: ["x"],
    attributes: {},
  });
}

/** Unpacked bytes, or a product (of `matMul`'s kind) with them: turned or not, read by something else besides or not. */
export function unpackNibbles(draw: Draw, matMul: (draw: Draw) => Case): Case {
  const kind = draw.int(0, 4);
  if (kind === 0) {
    const x = codes(draw, "uint8", anyShape(draw));
    return build({ op: "UnpackNibbles", feeds: { x }, inputs: ["x"], attributes: {} });
  }
  for (;;) {
    const { graph, feeds } = matMul(draw);
    const [product] = graph.nodes;
    const b = feeds.get("b");
    const turned = kind % 2 === 0;
    if (product.inputs[1] !== "b" || !b || b.shape.length < 2) continue;
    const [depth, columns] = b.shape.slice(-2);
    if ((turned ? depth : columns) % 2 !== 0) continue;
    const outer = b.shape.slice(0, -2);
    const bytes = codes(draw, "uint8", turned ? [...outer, columns, depth / 2] : [...outer, depth, columns / 2]);
    const others = new Map([...feeds].filter(([name]) => name !== "b"));
    return { graph: withBytes(graph, bytes.shape, turned), feeds: new Map([...others, ["bytes", bytes]]) };
  }
}

function withBytes(graph: Graph, shape: readonly number[], turned: boolean): Graph {
  const [product] = graph.nodes;
  const node = (op: string, input: string, output: string, perm?: readonly number[]): Node => ({
    op,
    domain: "npu",
    inputs: [input],
    outputs: [output],
    attrs: attrs({ perm: perm && { ints: perm } }),
    origin: product.origin,
  });
  const rank = shape.length;
  const swapped = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  const made = turned
    ? [node("UnpackNibbles", "bytes", "codes"), node("Transpose", "codes", "b", swapped)]
    : [node("UnpackNibbles", "bytes", "b")];
  const types = new Map(graph.types);
  for (const name of ["b", ...product.outputs]) types.delete(name);
  types.set("bytes", { dtype: "uint8", shape });
  const inputs = graph.inputs.map((name) => (name === "b" ? "bytes" : name));
  const plain = { ...product, attrs: new Map([...product.attrs, ...attrs({ b_zero: { i: 0 } })]) };
  return inferTypes({ ...graph, inputs, types, nodes: [...made, plain] });
}
