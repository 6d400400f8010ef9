import { createHash } from "node:crypto";
import { z } from "zod";
import { CompileError } from "../../error.ts";
import { classesOf, encode } from "../alphabet.ts";
import { type DataArray, makeSample, type Reader, type Sample } from "../dataset.ts";
import { openLines, parseJson } from "../json-lines.ts";
import { resolveReference } from "../reference.ts";
import { choose, isWithin, portion, selection } from "../split.ts";

const options = z.strictObject({
  path: z.string().describe('one JSON object a line, plain or gzipped: `{"text": …, "label": …}`, optional `group`'),
  labels: z.array(z.string()).min(2).describe("what labels are called, by class number"),
  input: z.string().default("tokens").describe("the model's input, int64 [1, length]"),
  length: z
    .int()
    .min(1)
    .max(65_536)
    .default(512)
    .describe("characters of a text that are read; shorter ones end in zeros"),
  alphabet: z.string().min(2).describe("the characters by class number, the first is 1; others are left out"),
  portion: portion
    .optional()
    .describe(
      "only groups whose place by another hash lies in [from, to): what a teacher learns, and what it does not",
    ),
  ...selection,
});
type Options = z.infer<typeof options>;

const line = z.looseObject({
  text: z.string(),
  label: z.string(),
  group: z.union([z.string(), z.number()]).optional(),
});

const SHAPE = 'write {"text": "…", "label": "…"}, one object a line';

interface Labelled {
  /** Class numbers of the characters, as many as there are. */
  readonly codes: Uint16Array;
  readonly label: number;
  readonly group: string;
}

/** All texts of the portion. Those that read the same are one group unless the file says otherwise, so no split holds a copy of another's. */
async function textsOf(given: Options, folder: string): Promise<Labelled[]> {
  const classes = classesOf(given.alphabet, 1, "labelled-text");
  const { source, starts, lengths } = await openLines(resolveReference(given.path, folder));
  try {
    const found: Labelled[] = [];
    for (let index = 0; index < starts.length; index++) {
      const wrong = (message: string, remedy: string): CompileError =>
        new CompileError("usage/bad-json", message, { where: `${given.path}, sample ${index}`, remedy });
      const parsed = line.safeParse(parseJson(source.read(starts[index], lengths[index])));
      if (!parsed.success) {
        const [{ path, message }] = parsed.error.issues;
        throw wrong(`the line is no JSON object of a labelled text: ${[...path, message].join(": ")}`, SHAPE);
      }
      const { text, label, group } = parsed.data;
      const at = given.labels.indexOf(label);
      if (at < 0)
        throw wrong(`no class is called ${JSON.stringify(label)}`, `\`labels\` has ${given.labels.join(", ")}`);
      const codes = encode(text, classes, given.length);
      const own = String(group ?? createHash("sha256").update(codes).digest("hex"));
      if (given.portion === undefined || isWithin(own, given.portion)) found.push({ codes, label: at, group: own });
    }
    return found;
  } finally {
    source.close();
  }
}

const reader: Reader<Options> = {
  summary:
    "Texts with a class each, a character a number: for models that tell what a text is. The slice is the class.",
  options,
  async open(given, folder) {
    const texts = await textsOf(given, folder);
    const chosen = choose(texts.length, given, (index) => texts[index].group);
    const shape = [1, given.length];
    return {
      length: chosen.length,
      async read(index): Promise<Sample> {
        const at = chosen.at(index);
        const { codes, label, group } = texts[at];
        const data = new BigInt64Array(given.length);
        for (const [place, code] of codes.entries()) data[place] = BigInt(code);
        const target: DataArray = { dtype: "int64", shape: [1], data: BigInt64Array.of(BigInt(label)) };
        return makeSample({
          id: String(at),
          group,
          inputs: new Map([[given.input, { dtype: "int64", shape, data }]]),
          target,
          slices: new Map([["class", given.labels[label]]]),
        });
      },
      describe: () => ({
        reader: "labelled-text",
        length: chosen.length,
        inputs: [{ name: given.input, dtype: "int64", shape }],
        source: given.path,
      }),
      close() {},
    };
  },
};
export default reader;
