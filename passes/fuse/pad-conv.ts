import { numberOf } from "../../src/ir/channels.ts";
import { intsAttr, stringAttr } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";
import { numbersOf } from "../../src/ir/tensor.ts";

/** A convolution pads with zeros itself: zeros that are put around its input before can be its own. */
export default rewrite({
  summary: "Takes zero padding before a Conv into its pads.",
  match: "p = Pad(x, pads, zero?, axes?)\n y = Conv(p, w, b?)",
  replace({ value, has, node, attrs, tensor, type }) {
    const amounts = tensor("pads");
    const rank = type("x")?.shape?.length;
    if (!amounts || rank === undefined || has("axes") || stringAttr(node("p"), "mode", "constant") !== "constant")
      return undefined;
    if (has("zero") && numberOf(tensor("zero")) !== 0) return undefined;
    if (stringAttr(node("y"), "auto_pad", "NOTSET") !== "NOTSET") return undefined;
    const pads = numbersOf(amounts);
    const spatial = rank - 2;
    const untouched = [pads[0], pads[1], pads[rank], pads[rank + 1]].every((amount) => amount === 0);
    if (!untouched || pads.some((amount) => amount < 0)) return undefined;
    const own = intsAttr(node("y"), "pads") ?? new Array<number>(2 * spatial).fill(0);
    const more = [...pads.slice(2, rank), ...pads.slice(rank + 2)];
    const inputs = has("b") ? [value("x"), value("w"), value("b")] : [value("x"), value("w")];
    const sum = own.map((amount, index) => amount + more[index]);
    return { op: "Conv", inputs, attrs: new Map(attrs("y")).set("pads", { ints: sum }) };
  },
});
