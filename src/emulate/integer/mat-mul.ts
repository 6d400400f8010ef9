import { intAttr } from "../../ir/graph.ts";
import { numbersOf } from "../../ir/tensor.ts";
import { productOf } from "../../ops/shared/npu/product.ts";
import { packColumns, panelsFor } from "./pack.ts";
import { layPost } from "./post.ts";
import { type CompileStep, partsOf } from "./step.ts";

/** npu.MatMul: a constant right operand is packed once; a batch of rows against one right operand is a single product. */
export const compileMatMul: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const a = context.input(0);
  const bTensor = context.constant(1);
  const bias = context.has(2) ? context.constant(2) : undefined;
  const [aZero, bZero] = [intAttr(node, "a_zero", 0), intAttr(node, "b_zero", 0)];
  if ((context.has(2) && !bias) || (a.dtype === "int16" && aZero !== 0)) return undefined;
  const bShape = bTensor?.shape ?? context.input(1).shape;
  const { rows: each, columns, depth, left, right } = productOf(node, a.shape, bShape);
  const post = layPost(context, 3, bias ? { bias } : {});
  if (post === undefined) return undefined;

  const joined = right.every((at) => at === right[0]) && left.every((at, index) => at === index * each * depth);
  const rows = joined ? each * left.length : each;
  const products = joined ? 1 : left.length;
  const pairs = Math.ceil(depth / 2);
  const panels = Math.ceil(columns / 8);
  const tile = panelsFor(pairs, panels);
  const parts = partsOf(a.dtype);
  const normalise = intAttr(node, "normalise", 0) === 1;

  const packed = new Map<number, number>();
  if (bTensor) {
    const values = numbersOf(bTensor);
    for (const first of new Set(right)) {
      const data = packColumns(depth, columns, (k, column) => values[first + k * columns + column] - bZero);
      packed.set(first, layout.constant(data));
    }
  }
  const bSlot = bTensor ? undefined : context.input(1);
  const leftBytes = rows * pairs * 4;
  const accBytes = (tile * 8 + 8) * 16;
  const wide = parts.length > 1;
  const room = layout.scratch(
    bTensor ? 0 : panels * pairs * 32,
    leftBytes,
    wide ? leftBytes : 0,
    accBytes,
    wide ? accBytes : 0,
    rows * 4,
  );
  return () => {
    const [bRoom, a1, a2, acc, acc2, totals] = room.map((offset) => offset + layout.scratchAddress);
    for (let index = 0; index < products; index++) {
      const source = a.address + left[index] * a.bytes;
      kernels.packLeft(source, depth * a.bytes, a.bytes, rows, depth, parts[0], aZero, a1);
      if (wide) kernels.packLeft(source, depth * a.bytes, a.bytes, rows, depth, parts[1], aZero, a2);
      if (normalise) kernels.sumRows(source, depth, 1, rows, depth, totals);
      const b = packed.get(right[index]) ?? bRoom;
      if (bSlot) kernels.packRight(bSlot.address + right[index], columns, depth, panels, 0, bZero, bRoom);
      const target = output.address + index * rows * columns * output.bytes;
      for (let first = 0; first < panels; first += tile) {
        const width = Math.min(tile, panels - first);
        const valid = Math.min(width * 8, columns - first * 8);
        const from = b + first * pairs * 32;
        kernels.gemmTile(
          a1,
          a2,
          from,
          from,
          pairs,
          rows,
          1,
          width,
          valid,
          acc,
          wide ? acc2 : 0,
          post,
          first * 8,
          1,
          target + first * 8 * output.bytes,
          columns * output.bytes,
          normalise ? totals : 0,
        );
      }
    }
  };
};
