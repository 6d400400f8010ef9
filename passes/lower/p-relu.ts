import { attrs, elementCount } from "../../src/ir/graph.ts";
import { decode } from "../../src/ir/numbers.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

/**
 * `slope·x` below zero and x above: where no slope is beyond 1 that is `max(x, slope·x)`; else
 * `max(x, 0) + slope·min(x, 0)`. One slope for everything is a function of one variable and stays as it is.
 */
export default rewrite({
  summary: "Makes a PRelu with many slopes a product and a maximum.",
  match: "y = PRelu(x, slope)",
  replace({ value, tensor, fresh }) {
    const slope = tensor("slope");
    if (slope && elementCount(slope.shape) === 1) return undefined;
    const [x, y] = [value("x"), value("y")];
    if (slope && Array.from(decode(slope), Number).every((each) => each <= 1)) {
      const scaled = fresh(`${y}/scaled`);
      return [
        { op: "Mul", inputs: [x, value("slope")], outputs: [scaled] },
        { op: "Max", inputs: [x, scaled], outputs: [y] },
      ];
    }
    const [above, below, scaled] = [fresh(`${y}/above`), fresh(`${y}/below`), fresh(`${y}/scaled`)];
    return [
      { op: "Relu", inputs: [x], outputs: [above], attrs: attrs({}) },
      { op: "Sub", inputs: [x, above], outputs: [below] },
      { op: "Mul", inputs: [below, value("slope")], outputs: [scaled] },
      { op: "Add", inputs: [above, scaled], outputs: [y] },
    ];
  },
});
