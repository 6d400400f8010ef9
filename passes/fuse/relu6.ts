import { fromReals } from "../../src/ir/channels.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/** `min(max(x, 0), 6)` in all its spellings is one Clip. */
export default rewrite({
  summary: "Makes a Clip between 0 and 6 of Relu and Min, or of Max and Min.",
  match: [
    "a = Relu(x)\n y = Min(a, 6.0)",
    "a = Max(x, 0.0)\n y = Min(a, 6.0)",
    "a = Min(x, 6.0)\n y = Max(a, 0.0)",
    "a = Min(x, 6.0)\n y = Relu(a)",
    'a = Relu(x)\n y = Clip(a, "", 6.0)',
    "a = Relu(x)\n y = Clip(a, 0.0, 6.0)",
    "a = Clip(x, 0.0, 6.0)\n y = Relu(a)",
  ],
  replace({ value, type }) {
    const dtype = type("x")?.quant === undefined ? (type("x")?.dtype ?? "float32") : "float32";
    return {
      op: "Clip",
      inputs: [value("x"), constant(fromReals(dtype, [], [0]), "low"), constant(fromReals(dtype, [], [6]), "high")],
    };
  },
});
