import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type DataArray, type Dataset, makeSample, type Reader, type Sample, type SequenceRange } from "../dataset.ts";
import { type NpyHeader, readLabel, readNpyHeader, readNumbers } from "../npy.ts";
import { resolveReference } from "../reference.ts";
import { openSource, type Source } from "../source.ts";
import { choose, selection } from "../split.ts";
import { openEntry, readDirectory } from "../zip.ts";

const options = z.strictObject({
  path: z.string().describe("the .npz file"),
  ...selection,
});
type Options = z.infer<typeof options>;

interface Column {
  readonly source: Source;
  readonly header: NpyHeader;
  /** Elements of one sample. */
  readonly size: number;
}

const SLICE = "slice.";

/** Puts each array into `columns` as soon as it is open, so that the caller can close what an error leaves behind. */
async function openColumns(path: string, archive: Source, columns: Map<string, Column>): Promise<void> {
  for (const [entryName, entry] of readDirectory(archive)) {
    const name = entryName.replace(/\.npy$/, "");
    const source = await openEntry(archive, entry);
    const header = readNpyHeader(source);
    if (header.shape.length === 0) {
      throw new CompileError("usage/data-shape", `the array ${JSON.stringify(name)} has no sample axis`, {
        where: path,
        remedy: "the first axis of every array counts the samples",
      });
    }
    columns.set(name, { source, header, size: header.shape.slice(1).reduce((product, dim) => product * dim, 1) });
  }
}

/** Every array is as long as the first, inputs are numbers, and there is an input. */
function checkColumns(path: string, columns: ReadonlyMap<string, Column>, inputs: readonly string[]): number {
  const [first, column] = [...columns][0] ?? [];
  if (column === undefined || inputs.length === 0) {
    throw new CompileError("usage/empty-data", "the archive holds no inputs", {
      where: path,
      remedy: "save one array an input of the model, under the input's name, beside `target`",
    });
  }
  const length = column.header.shape[0];
  for (const [name, { header, size }] of columns) {
    const label = name === "group" || name === "sequence" || name.startsWith(SLICE);
    if (header.shape[0] !== length) {
      const message = `${JSON.stringify(first)} has ${length} samples, ${JSON.stringify(name)} ${header.shape[0]}`;
      throw new CompileError("usage/data-length", message, { where: path });
    }
    if ((label || header.dtype === "string") && (size !== 1 || header.shape.length > 2)) {
      throw new CompileError("usage/data-shape", `${JSON.stringify(name)} holds more than one value a sample`, {
        where: path,
      });
    }
    if (header.dtype === "string" && inputs.includes(name)) {
      throw new CompileError("usage/data-type", `the input ${JSON.stringify(name)} is text`, {
        where: path,
        remedy: "inputs are arrays of numbers",
      });
    }
  }
  return length;
}

/** A target's own shape; a plain vector of targets has one element a sample. */
function targetOf(column: Column, index: number): DataArray | string {
  const { source, header, size } = column;
  if (header.dtype === "string") return readLabel(source, header, index);
  const shape = header.shape.length === 1 ? [1] : header.shape.slice(1);
  return { dtype: header.dtype, shape, data: readNumbers(source, header, index * size, size) };
}

function sequencesOf(column: Column, length: number, at: (index: number) => number): SequenceRange[] {
  const found = new Map<string, { name: string; start: number; length: number }>();
  let current: { name: string; start: number; length: number } | undefined;
  for (let index = 0; index < length; index++) {
    const name = readLabel(column.source, column.header, at(index));
    if (current?.name === name) {
      current.length++;
      continue;
    }
    if (found.has(name)) {
      throw new CompileError(
        "usage/data-sequence",
        `the samples of the sequence ${JSON.stringify(name)} are not together`,
        {
          where: `sample ${index}`,
          remedy: "sort the samples by sequence and step",
        },
      );
    }
    current = { name, start: index, length: 1 };
    found.set(name, current);
  }
  return [...found.values()];
}

async function open(given: Options, folder: string): Promise<Dataset> {
  const path = resolveReference(given.path, folder);
  const archive = openSource(path);
  const opened = new Map<string, Column>();
  const close = (): void => {
    for (const { source } of opened.values()) source.close();
    archive.close();
  };
  try {
    await openColumns(given.path, archive, opened);
    const { target, group, sequence } = Object.fromEntries(
      ["target", "group", "sequence"].map((name) => [name, opened.get(name)]),
    );
    const slices = [...opened].filter(([name]) => name.startsWith(SLICE));
    const inputs = [...opened].filter(
      ([name, column]) => ![target, group, sequence].includes(column) && !name.startsWith(SLICE),
    );
    const total = checkColumns(
      given.path,
      opened,
      inputs.map(([name]) => name),
    );
    const label = (column: Column, index: number): string => readLabel(column.source, column.header, index);
    const sampleOf = (index: number): Sample =>
      makeSample({
        id: String(index),
        inputs: new Map(
          inputs.map(([name, { source, header, size }]) => {
            const data = readNumbers(source, header, index * size, size);
            return [name, { dtype: header.dtype as DataArray["dtype"], shape: [1, ...header.shape.slice(1)], data }];
          }),
        ),
        slices: new Map(slices.map(([name, column]) => [name.slice(SLICE.length), label(column, index)])),
        ...(group && { group: label(group, index) }),
        ...(sequence && { sequence: label(sequence, index) }),
        ...(target && { target: targetOf(target, index) }),
      });
    const chosen = choose(total, given, (index) => (group ? label(group, index) : sampleOf(index).group));
    return {
      length: chosen.length,
      ...(sequence && { sequences: sequencesOf(sequence, chosen.length, chosen.at) }),
      read: async (index) => sampleOf(chosen.at(index)),
      describe: () => ({
        reader: "npz",
        length: chosen.length,
        inputs: inputs.map(([name, { header }]) => ({
          name,
          dtype: header.dtype as DataArray["dtype"],
          shape: [1, ...header.shape.slice(1)],
        })),
        source: given.path,
      }),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

const reader: Reader<Options> = {
  summary: "NumPy archives: arrays named as the inputs, `target`, and optionally `group`, `sequence`, `slice.*`.",
  options,
  open,
};
export default reader;
