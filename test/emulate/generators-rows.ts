/** Operators that fetch rows, and that put them in. */
import { build, type Case, codes, type Draw } from "./cases.ts";

export const anyShape = (draw: Draw, most = 4) => Array.from({ length: draw.int(1, most) }, () => draw.int(1, 7));

export function gather(draw: Draw): Case {
  const shape = anyShape(draw);
  const axis = draw.int(0, shape.length - 1);
  const size = shape[axis];
  const indices = codes(draw, "int32", draw.pick([[], [3], [2, 2]]), -size - 2, size + 2);
  const constant = draw.maybe();
  return build({
    op: "Gather",
    feeds: { x: codes(draw, "int8", shape), ...(constant ? {} : { i: indices }) },
    inputs: ["x", constant ? indices : "i"],
    attributes: { axis: { i: draw.maybe() ? axis : axis - shape.length } },
  });
}

export function tensorScatter(draw: Draw): Case {
  const shape = [draw.int(1, 2), draw.int(1, 3), draw.int(2, 6), draw.int(1, 5)].slice(0, draw.int(3, 4));
  const axis = draw.int(1, shape.length - 1);
  const update = shape.map((size, at) => (at === axis ? draw.int(1, size) : size));
  const indices = codes(draw, "int32", [shape[0]], -2, shape[axis] + 2);
  return build({
    op: "TensorScatter",
    feeds: { x: codes(draw, "int8", shape), u: codes(draw, "int8", update), i: indices },
    inputs: ["x", "u", "i"],
    attributes: { axis: { i: axis }, mode: { s: draw.pick(["linear", "circular"]) } },
  });
}
