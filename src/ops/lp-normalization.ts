import { intAttr } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Gradient } from "./gradient.ts";
import type { Op } from "./op.ts";
import { alongAxis } from "./shared/along.ts";
import { norm } from "./shared/pool.ts";
import { axisAttr, FLOATS, sameType, sizeOf } from "./shared/types.ts";
import { tensorAt } from "./shared/values.ts";

/** With n the norm: (dy − y·Σ dy·y)/n for p = 2, (dy − sign x·Σ dy·y)/n for p = 1. */
const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined || !g.wants(0)) return [];
  const [x, y] = [g.input(0), g.output(0)];
  const axis = axisAttr(g.node, x.shape.length, -1);
  const euclidean = intAttr(g.node, "p", 2) === 2;
  const length = g.emit(euclidean ? "ReduceL2" : "ReduceL1", [x, int64([1], [axis])]);
  const along = g.sum(g.mul(dy, y), [axis], true);
  const rest = g.sub(dy, g.mul(euclidean ? y : g.emit("Sign", [x]), along));
  return [g.div(rest, g.emit("Where", [g.emit("Equal", [length, 0]), 1, length]))];
};

/** Every line along `axis` divided by its p-norm; a line of zeros stays zeros. */
const op: Op = {
  gradient,
  infer: sameType(FLOATS),
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const p = intAttr(node, "p", 2);
    const axis = axisAttr(node, tensor.shape.length, -1);
    return [
      alongAxis(tensor, axis, (line) => {
        const length = norm(line, p);
        return length === 0 ? line : line.map((value) => value / length);
      }),
    ];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
