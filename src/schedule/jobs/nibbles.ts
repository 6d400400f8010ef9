/** Codes of 4 bits that are made at run time: the vector unit packs and unpacks them, and the array reads them packed. */
import { attrs, type Node, stringAttr } from "../../ir/graph.ts";
import { nameOf, required, type TileJob } from "../job.ts";
import type { Operand, WeightOperand } from "../program.ts";
import type { Box, View } from "../view.ts";
import { anyCuts } from "./elementwise.ts";

const LAST_DOUBLED = 2;

/** PackNibbles or UnpackNibbles: a tile is some bytes with all of their codes. */
export function nibbleJob(node: Node, x: View, output: View): TileJob {
  const packs = node.op === "PackNibbles";
  const last = output.shape.length - 1;
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x],
    output,
    cuts: anyCuts(output.shape).map((cut) => (!packs && cut.axis === last ? { ...cut, quantum: LAST_DOUBLED } : cut)),
    needs({ start, size }) {
      const factor = packs ? LAST_DOUBLED : 1 / LAST_DOUBLED;
      const scaled = (list: readonly number[]) => list.map((value, axis) => (axis === last ? value * factor : value));
      return [{ start: scaled(start), size: scaled(size) }];
    },
    command: (_, operands, y) => ({
      kind: packs ? "pack" : "unpack",
      engine: "vector",
      x: required(operands[0], "x"),
      y,
    }),
  };
}

/** Along which axis of a product's right operand two codes share a byte. */
export type Paired = "depth" | "columns";

const PAIRED = "paired_codes";

/** The product reading bytes: its right operand is [..., columns, depth / 2] or [..., depth, columns / 2]. */
export function withPaired(node: Node, bytes: string, paired: Paired): Node {
  const inputs = node.inputs.map((name, at) => (at === 1 ? bytes : name));
  return { ...node, inputs, attrs: new Map([...node.attrs, ...attrs({ [PAIRED]: { s: paired } })]) };
}

/** Undefined where a product's right operand lies as it is, or are packed weights. */
export function pairedOf(node: Node): Paired | undefined {
  const paired = stringAttr(node, PAIRED, "");
  return paired === "depth" || paired === "columns" ? paired : undefined;
}

/** The matrix [..., depth, columns] that bytes stand for. */
export function pairedShape(bytes: readonly number[], paired: Paired): readonly number[] {
  const [outer, inner] = bytes.slice(-2);
  return [...bytes.slice(0, -2), ...(paired === "depth" ? [2 * inner, outer] : [outer, 2 * inner])];
}

/** The bytes that a box of such a matrix lies in. */
export function pairedBox({ start, size }: Box, paired: Paired): Box {
  const turned = ([depth, columns]: readonly number[]) =>
    paired === "depth" ? [columns, depth / 2] : [depth, columns / 2];
  return {
    start: [...start.slice(0, -2), ...turned(start.slice(-2))],
    size: [...size.slice(0, -2), ...turned(size.slice(-2))],
  };
}

/** The codes of such bytes, as the array reads them. */
export function pairedOperand(bytes: Operand, paired: Paired): WeightOperand {
  const [outer] = bytes.strides.slice(-2);
  const matrix = paired === "depth" ? [1, 2 * outer] : [2 * outer, 1];
  const strides = [...bytes.strides.slice(0, -2).map((stride) => 2 * stride), ...matrix];
  return { ...bytes, dtype: "int4", shape: pairedShape(bytes.shape, paired), strides };
}
