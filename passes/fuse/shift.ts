import { channelValues, fromReals, numberOf, realsOf } from "../../src/ir/channels.ts";
import { elementCount, intAttr, intsAttr, type Node, stringAttr, type Tensor } from "../../src/ir/graph.ts";
import { constant, type Found, type NewNode, rewrite } from "../../src/ir/rewrite.ts";

/** Does every place of the output see the kernel whole? What is added before it then reaches all places alike. */
function isUnpadded(conv: Node): boolean {
  const auto = stringAttr(conv, "auto_pad", "NOTSET");
  return auto === "VALID" || (auto === "NOTSET" && (intsAttr(conv, "pads") ?? []).every((pad) => pad === 0));
}

/** What one number an input channel adds to each output channel: its product with the kernel's sum. */
function reachOf(weights: Tensor, added: Float64Array, groups: number): Float64Array | undefined {
  const values = realsOf(weights);
  if (values === undefined) return undefined;
  const [filters, channels] = weights.shape;
  const taps = elementCount(weights.shape) / Math.max(1, filters * channels);
  const sums = new Float64Array(filters);
  for (let at = 0; at < values.length; at++) {
    const filter = Math.floor(at / (channels * taps));
    const group = Math.floor(filter / (filters / groups));
    sums[filter] += values[at] * added[group * channels + (Math.floor(at / taps) % channels)];
  }
  return sums;
}

/** `w∗(x + c) + b = w∗x + (b + w∗c)` where no padding comes between. */
function intoBias(found: Found): NewNode | undefined {
  const { value, tensor, type, node, attrs, has } = found;
  const [weights, added, bias] = [tensor("w"), tensor("c"), has("b") ? tensor("b") : undefined];
  const shape = type("x")?.shape;
  const channels = shape?.[1];
  const same = shape !== undefined && type("a")?.shape?.length === shape.length;
  if (!weights || !added || (has("b") && !bias) || !same || typeof channels !== "number") return undefined;
  const conv = node("y");
  const each = channelValues(added, shape.length, 1, channels);
  if (each === undefined || !isUnpadded(conv)) return undefined;
  const before = bias ? realsOf(bias) : new Float64Array(weights.shape[0]);
  const more = reachOf(weights, each, intAttr(conv, "group", 1));
  if (before === undefined || more === undefined) return undefined;
  const sum = before.map((own, filter) => own + more[filter]);
  return {
    op: "Conv",
    inputs: [value("x"), value("w"), constant(fromReals(weights.dtype, [weights.shape[0]], sum), has("b") ? "b" : "c")],
    attrs: attrs("y"),
  };
}

/** `w∗(s·x + c) = w∗(s·(x + c/s))`: a scale next to the weights can go into them, even where the shift must stay. */
function exchanged({ value, tensor, type, fresh, node, attrs, has }: Found): NewNode[] | undefined {
  const [scale, added] = [tensor("s"), tensor("c")];
  const [factor, shift] = [numberOf(scale), numberOf(added)];
  const inner = type("x");
  const same = inner?.shape !== undefined && inner.shape.length === type("a")?.shape?.length;
  if (!scale || !added || !factor || shift === undefined || !same || !tensor("w") || isUnpadded(node("y")))
    return undefined;
  const moved = fresh(`${value("a")}_moved`, inner);
  const scaled = fresh(`${value("a")}_scaled`, inner);
  return [
    { op: "Add", inputs: [value("x"), constant(fromReals(added.dtype, [], [shift / factor]), "c")], outputs: [moved] },
    { op: "Mul", inputs: [moved, constant(fromReals(scale.dtype, [], [factor]), "s")], outputs: [scaled] },
    { op: "Conv", inputs: [scaled, value("w"), ...(has("b") ? [value("b")] : [])], attrs: attrs("y") },
  ];
}

/** What is added before a Conv without padding is a part of its bias; before one with padding, the scale in front moves on. */
export default rewrite({
  summary: "Takes a constant that is added before a Conv into its bias, or lets a scale before it pass.",
  constants: ["c", "s"],
  match: ["a = Add(x, c)\n y = Conv(a, w, b?)", "m = Mul(x, s)\n a = Add(m, c)\n y = Conv(a, w, b?)"],
  replace: (found) => (found.alternative === 0 ? intoBias(found) : exchanged(found)),
});
