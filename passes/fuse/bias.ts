import { channelValues, fromReals } from "../../src/ir/channels.ts";
import { floatAttr } from "../../src/ir/graph.ts";
import { constant, type Found, rewrite } from "../../src/ir/rewrite.ts";

/** What the linear operator already adds to each channel, in the units of its output; undefined where it is not constant. */
function biasOf({ has, tensor }: Found, rank: number, axis: number, channels: number): Float64Array | undefined {
  if (!has("b")) return new Float64Array(channels);
  const given = tensor("b");
  return given === undefined ? undefined : channelValues(given, rank, axis, channels);
}

/** `(w∗x + b) ± c = w∗x + (b ± c)` for a constant c with one number a channel; Gemm adds `beta · C`, so c is divided by beta. */
export default rewrite({
  summary: "Takes a constant that is added to the output of Conv, ConvTranspose or Gemm into its bias.",
  constants: ["c"],
  match: [
    "y = Conv(x, w, b?)\n z = Add(y, c)",
    "y = ConvTranspose(x, w, b?)\n z = Add(y, c)",
    "y = Gemm(x, w, b?)\n z = Add(y, c)",
    "y = Conv(x, w, b?)\n z = Sub(y, c)",
    "y = ConvTranspose(x, w, b?)\n z = Sub(y, c)",
    "y = Gemm(x, w, b?)\n z = Sub(y, c)",
  ],
  replace(found) {
    const { value, node, attrs, tensor, type } = found;
    const shape = type("y")?.shape;
    const added = tensor("c");
    const channels = shape?.[1];
    if (shape === undefined || added === undefined || typeof channels !== "number") return undefined;
    const gemm = node("y").op === "Gemm";
    const bias = gemm ? biasOf(found, 2, 1, channels) : biasOf(found, 1, 0, channels);
    const more = channelValues(added, shape.length, 1, channels);
    if (bias === undefined || more === undefined) return undefined;
    const beta = gemm ? floatAttr(node("y"), "beta", 1) : 1;
    if (beta === 0) return undefined;
    const sign = node("z").op === "Sub" ? -1 : 1;
    const sum = bias.map((each, channel) => each + (sign * more[channel]) / beta);
    return {
      op: node("y").op,
      inputs: [value("x"), value("w"), constant(fromReals(added.dtype, [channels], sum), found.has("b") ? "b" : "c")],
      attrs: attrs("y"),
    };
  },
});
