/** Random layers of the array: every mapping, operand width and post stage that it has. */
import { elementCount } from "../../src/ir/graph.ts";
import { build, type Case, codes, type Draw, post } from "../emulate/cases.ts";

/** What sizes are drawn around: the array's own, so that tiles are full, partly full and several. */
export interface Sizes {
  readonly rows: number;
  readonly columns: number;
}

/** 16-bit operands have no zero point and need the wide requantization. */
function operand(draw: Draw) {
  const wide = draw.int(0, 4) === 0;
  const zero = wide ? 0 : draw.pick([0, -128, 127, draw.int(-128, 127)]);
  return {
    dtype: wide ? "int16" : "int8",
    zero,
    variant: wide ? "wide" : "tosa-single",
    reach: wide ? 2 ** 22 : 2 ** 14,
  } as const;
}

function count(draw: Draw, unit: number): number {
  return draw.pick([1, draw.int(1, unit), unit - 1, unit, unit + 1, draw.int(unit, 2 * unit)]);
}

function convolution(draw: Draw, { rows, columns }: Sizes): Case {
  const kind = draw.pick(["dense", "dense", "pointwise", "grouped", "depthwise", "depthwise"]);
  const kernel = kind === "pointwise" ? [1, 1] : [draw.int(1, 4), draw.int(1, 4)];
  const groups = kind === "grouped" ? draw.int(2, 4) : kind === "depthwise" ? draw.int(2, 12) : 1;
  const inputs = kind === "depthwise" ? 1 : draw.int(1, kind === "pointwise" ? 2 * columns : 12);
  const outputs =
    kind === "depthwise" ? draw.pick([1, 1, 1, 2]) : count(draw, kind === "grouped" ? columns >> 1 : columns);
  const pairOf = (low: number, high: number) => [draw.int(low, high), draw.int(low, high)];
  const [strides, dilations] = [draw.pick([[1, 1], pairOf(1, 4)]), pairOf(1, 2)];
  const pads = [...kernel, ...kernel].map((size) => draw.int(0, size - 1));
  const pixels = count(draw, rows);
  const width = draw.int(1, Math.min(pixels, 40));
  const extent = (size: number, axis: number) => {
    const padded =
      (size - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 + draw.int(0, strides[axis] - 1);
    return Math.max(1, padded - pads[axis] - pads[axis + 2]);
  };
  const { dtype, zero, variant, reach } = operand(draw);
  const depth = inputs * elementCount(kernel);
  const stage = post(draw, outputs * groups, reach * Math.sqrt(depth), { variant });
  const shape = [draw.int(1, 2), inputs * groups, extent(Math.ceil(pixels / width), 0), extent(width, 1)];
  return build({
    op: "Conv",
    feeds: { x: codes(draw, dtype, shape) },
    inputs: [
      "x",
      codes(draw, "int8", [outputs * groups, inputs, ...kernel], -127),
      codes(draw, "int32", [outputs * groups], -(2 ** 18), 2 ** 18),
      ...stage.inputs,
    ],
    attributes: {
      ...stage.attributes,
      strides: { ints: strides },
      dilations: { ints: dilations },
      pads: { ints: pads },
      group: { i: groups },
      x_zero: { i: zero },
    },
  });
}

function product(draw: Draw, { rows, columns }: Sizes): Case {
  const [m, k, n] = [count(draw, rows), draw.int(1, 2 * columns), count(draw, columns)];
  const [batch, heads] = [draw.int(1, 2), draw.int(1, 3)];
  const divides = draw.int(0, 3) === 0;
  const narrow = { dtype: "uint8", zero: 0, variant: "tosa-single", reach: 2 ** 20 } as const;
  const { dtype, zero, variant, reach } = divides ? narrow : operand(draw);
  const [left, right] = draw.pick([
    [
      [m, k],
      [k, n],
    ],
    [
      [heads, m, k],
      [k, n],
    ],
    [
      [heads, m, k],
      [heads, k, n],
    ],
    [
      [batch, heads, m, k],
      [heads, k, n],
    ],
  ]);
  const b = codes(draw, "int8", right, draw.maybe() ? -128 : -127);
  const constant = draw.maybe();
  const stage = post(draw, n, divides ? reach : reach * Math.sqrt(k), { variant });
  const bias = divides || draw.maybe() ? undefined : codes(draw, "int32", [n], -(2 ** 18), 2 ** 18);
  return build({
    op: "MatMul",
    feeds: { a: codes(draw, dtype, left), ...(constant ? {} : { b }) },
    inputs: ["a", constant ? b : "b", bias, ...stage.inputs],
    attributes: {
      ...stage.attributes,
      a_zero: { i: zero },
      b_zero: { i: constant ? 0 : draw.pick([0, -128, 127, 3]) },
      normalise: divides ? { i: 1 } : undefined,
    },
  });
}

export function randomLayer(draw: Draw, sizes: Sizes): Case {
  return draw.int(0, 3) === 0 ? product(draw, sizes) : convolution(draw, sizes);
}
