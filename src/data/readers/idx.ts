import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type DataArray, type Dataset, makeSample, type Reader, type Sample } from "../dataset.ts";
import { resolveReference } from "../reference.ts";
import { openUnzipped, type Source } from "../source.ts";
import { choose, selection } from "../split.ts";

/** An IDX file: `00 00 type rank`, the dims as big-endian int32, the elements. Only unsigned bytes are read. */
interface Idx {
  readonly shape: readonly number[];
  readonly start: number;
  readonly source: Source;
}

const UNSIGNED_BYTE = 0x08;
const MAX_RANK = 8;

async function openIdx(path: string): Promise<Idx> {
  const source = await openUnzipped(path);
  try {
    return { source, ...readHeader(path, source) };
  } catch (error) {
    source.close();
    throw error;
  }
}

function readHeader(path: string, source: Source): { shape: number[]; start: number } {
  const [zero, alsoZero, type, rank] = source.read(0, 4);
  const bad = (message: string): CompileError =>
    new CompileError("usage/not-idx", message, { where: path, remedy: "give an IDX file of unsigned bytes" });
  if (zero !== 0 || alsoZero !== 0) throw bad("this is not an IDX file");
  if (type !== UNSIGNED_BYTE) throw bad(`IDX element type 0x${type.toString(16)} is not unsigned bytes`);
  if (rank === 0 || rank > MAX_RANK) throw bad(`an IDX file of rank ${rank}`);
  const header = source.read(4, 4 * rank);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 * axis));
  const start = 4 + 4 * rank;
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count !== source.size - start) {
    throw bad(`the header says [${shape.join(", ")}], ${count} bytes, but ${source.size - start} follow`);
  }
  return { shape, start };
}

const options = z.strictObject({
  images: z.string().describe("IDX file of unsigned bytes, plain or gzipped"),
  labels: z.string().optional().describe("IDX file of one unsigned byte an image"),
  input: z.string().default("image").describe("the model's input"),
  shape: z
    .array(z.int().min(1))
    .optional()
    .describe("of one sample, batch axis included; default [1, 1, rows, columns]"),
  scale: z
    .number()
    .default(1 / 255)
    .describe("x = pixel · scale + shift"),
  shift: z.number().default(0),
  ...selection,
});
type Options = z.infer<typeof options>;

async function open(given: Options, folder: string): Promise<Dataset> {
  const images = await openIdx(resolveReference(given.images, folder));
  const labels = given.labels === undefined ? undefined : await openIdx(resolveReference(given.labels, folder));
  const close = (): void => {
    images.source.close();
    labels?.source.close();
  };
  const [total, ...pixels] = images.shape;
  const size = pixels.reduce((product, dim) => product * dim, 1);
  const shape = given.shape ?? [1, 1, ...pixels];
  try {
    if (labels && (labels.shape.length !== 1 || labels.shape[0] !== total)) {
      throw new CompileError("usage/data-length", `${total} images, but labels of shape [${labels.shape.join(", ")}]`, {
        where: given.labels ?? "",
      });
    }
    if (shape.reduce((product, dim) => product * dim, 1) !== size) {
      throw new CompileError("usage/data-shape", `shape [${shape.join(", ")}] does not hold ${size} pixels`, {
        where: given.images,
      });
    }
    const table = Float32Array.from({ length: 256 }, (_, pixel) => pixel * given.scale + given.shift);
    const imageOf = (index: number): DataArray => {
      const bytes = images.source.read(images.start + index * size, size);
      // A plain loop: `Float32Array.from` with a function costs ten times as much, and all the data passes here.
      const data = new Float32Array(size);
      for (let at = 0; at < size; at++) data[at] = table[bytes[at]];
      return { dtype: "float32", shape, data };
    };
    const sampleOf = (index: number): Sample => {
      const inputs = new Map([[given.input, imageOf(index)]]);
      const id = String(index);
      if (labels === undefined) return makeSample({ id, inputs });
      const [label] = labels.source.read(labels.start + index, 1);
      const target: DataArray = { dtype: "int64", shape: [1], data: BigInt64Array.of(BigInt(label)) };
      return makeSample({ id, inputs, target, slices: new Map([["class", String(label)]]) });
    };
    const chosen = choose(total, given, (index) => sampleOf(index).group);
    return {
      length: chosen.length,
      read: async (index) => sampleOf(chosen.at(index)),
      describe: () => ({
        reader: "idx",
        length: chosen.length,
        inputs: [{ name: given.input, dtype: "float32", shape }],
        source: given.images,
      }),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

const reader: Reader<Options> = {
  summary: "Images and labels in IDX files, as MNIST and its successors come; the slice is the class.",
  options,
  open,
};
export default reader;
