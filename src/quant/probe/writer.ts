import { type Attr, attrs, type DType, freshName, type Graph, type Node, type Type, typeOf } from "../../ir/graph.ts";
import { makeTensor } from "../../ir/tensor.ts";
import { namesOf } from "../../ir/uses.ts";

const MADE = {
  int64: (list: readonly number[]) => BigInt64Array.from(list, BigInt),
  float32: (list: readonly number[]) => Float32Array.from(list),
  int8: (list: readonly number[]) => Int8Array.from(list),
  int16: (list: readonly number[]) => Int16Array.from(list),
  uint8: (list: readonly number[]) => Uint8Array.from(list),
};

export type Writer = ReturnType<typeof openWriter>;

/** Adds nodes to a graph, and collects flat float32 values that become one output. */
export function openWriter(before: Graph) {
  const names = namesOf(before);
  const nodes: Node[] = [...before.nodes];
  const constants = new Map(before.constants);
  const types = new Map(before.types);
  const parts: string[] = [];
  const known = new Map<string, string>();
  let length = 0;
  let shift: string | undefined;
  const fresh = (hint: string): string => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const constant = (
    dtype: keyof typeof MADE,
    list: readonly number[],
    shape: readonly number[] = [list.length],
  ): string => {
    const key = `${dtype} ${shape.length} ${list.join(",")}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const name = fresh("probe/constant");
    constants.set(name, makeTensor(dtype, shape, MADE[dtype](list)));
    known.set(key, name);
    return name;
  };
  const add = (
    op: string,
    inputs: readonly string[],
    type: Type,
    given: Readonly<Record<string, Attr>> = {},
  ): string => {
    const name = fresh(`probe/${op}`);
    nodes.push({ op, domain: "", inputs, outputs: [name], attrs: attrs(given), origin: [] });
    types.set(name, type);
    return name;
  };
  const shiftInput = (): string => {
    if (shift === undefined) {
      shift = fresh("probe/shift");
      types.set(shift, { dtype: "int64", shape: [1] });
    }
    return shift;
  };
  return {
    ...{ constant, add, shiftInput },
    shift: () => shift,
    type: (name: string) => typeOf(before, name),
    graph: (): Graph => ({ ...before, nodes, constants, types, inputs: [...before.inputs, ...(shift ? [shift] : [])] }),
    /** Puts a flat float32 value of so many numbers into the summary; gives its place. */
    keep(name: string, count: number): number {
      parts.push(name);
      length += count;
      return length - count;
    },
    close: (): string | undefined =>
      parts.length === 0 ? undefined : add("Concat", parts, float([length]), { axis: { i: 0 } }),
  };
}

export const float = (shape: readonly number[]): Type => ({ dtype: "float32", shape });
export const int64 = (shape: readonly number[]): Type => ({ dtype: "int64", shape });
export const FLOAT32 = 1;

/** The value in float32. */
export function asFloat32(writer: Writer, value: string, dtype: DType, shape: readonly number[]): string {
  return dtype === "float32" ? value : writer.add("Cast", [value], float(shape), { to: { i: FLOAT32 } });
}
