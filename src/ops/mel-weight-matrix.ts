import { intAttr, type Node, type RuntimeValue } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { constantIntegers, FLOATS, INDICES, makeType, NUMBERS, reject, typeAt } from "./shared/types.ts";
import { fromDoubles, scalarOf, tensorAt } from "./shared/values.ts";

function targetOf(node: Node) {
  const dtype = dtypeOfCode(intAttr(node, "output_datatype", 1));
  return dtype && NUMBERS.includes(dtype) ? dtype : reject(node, "output_datatype is not a number's");
}

/** The Mel scale: 2595 · log10(1 + f / 700), f in Hz. */
function mel(frequency: number): number {
  return 2595 * Math.log10(1 + frequency / 700);
}

function frequency(melValue: number): number {
  return 700 * (10 ** (melValue / 2595) - 1);
}

/** Triangle filters, evenly spaced in Mel, as a matrix [spectrum bins, Mel bins] to multiply a spectrogram with. */
const op: Op = {
  infer(node, inputs, context) {
    for (const index of [0, 1, 2]) typeAt(node, inputs, index, INDICES);
    for (const index of [3, 4]) typeAt(node, inputs, index, FLOATS);
    const [bands, length] = [constantIntegers(context, 0)?.[0], constantIntegers(context, 1)?.[0]];
    return [makeType(targetOf(node), [length === undefined ? "?" : Math.floor(length / 2) + 1, bands ?? "?"])];
  },
  evaluate(node, inputs: readonly RuntimeValue[]) {
    const [bands, length, rate, low, high] = [0, 1, 2, 3, 4].map((index) =>
      scalarOf(node, tensorAt(node, inputs, index)),
    );
    if (bands < 1 || length < 1 || rate < 1) reject(node, `${bands} bands over ${length} samples at ${rate} Hz`);
    const bins = Math.floor(length / 2) + 1;
    const step = (mel(high) - mel(low)) / (bands + 2);
    const edges = Array.from({ length: bands + 2 }, (_, index) => {
      return Math.floor(((length + 1) * frequency(mel(low) + step * index)) / rate);
    });
    const values = new Float64Array(bins * bands);
    for (let band = 0; band < bands; band++) {
      const [from, peak, to] = edges.slice(band, band + 3);
      for (let bin = Math.max(from, 0); bin < Math.min(Math.max(to, peak + 1), bins); bin++) {
        const rising = peak === from ? 1 : (bin - from) / (peak - from);
        const falling = bin <= peak || to === peak ? 1 : (to - bin) / (to - peak);
        values[bin * bands + band] = bin <= peak ? rising : falling;
      }
    }
    const dtype = targetOf(node);
    return [fromDoubles(dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype, [bins, bands], values)];
  },
};

export default op;
