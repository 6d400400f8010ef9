import { elementCount, type Node, type Type } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { ACTIVATIONS, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { interpolate } from "../shared/npu/requantize.ts";
import { reject } from "../shared/types.ts";

/**
 * Any function of one code. int8 x: one entry a code, table int8[256] or int16[256], and y has the table's dtype. int16 x:
 * table int16[513], interpolated.
 */
export default {
  infer(node, inputs) {
    const x = codeType(node, inputs, 0, ACTIVATIONS);
    const table = codeType(node, inputs, 1, x.dtype === "int8" ? ACTIVATIONS : ["int16"]);
    requireEntries(node, table, x.dtype === "int8" ? 256 : 513);
    return [{ dtype: table.dtype, shape: x.shape }];
  },
  evaluate(node, inputs) {
    const [x, table] = [codesAt(node, inputs, 0), codesAt(node, inputs, 1)];
    const look =
      x.dtype === "int8"
        ? (code: number) => table.values[code + 128]
        : (code: number) => interpolate(table.values, code);
    return [makeCodes(table.dtype, x.shape, (at) => look(x.values[at]))];
  },
} satisfies Op;

function requireEntries(node: Node, table: Type & { shape: readonly number[] }, entries: number): void {
  const count = elementCount(table.shape);
  if (count !== entries) reject(node, `the table has ${count} entries; ${entries} are needed`);
}
