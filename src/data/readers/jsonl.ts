import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type DataArray, type DataType, type DataValues, makeSample, type Reader, type Sample } from "../dataset.ts";
import { openLines, parseJson } from "../json-lines.ts";
import { resolveReference } from "../reference.ts";
import { choose, selection } from "../split.ts";

const MAKERS = {
  float32: (values: number[]) => Float32Array.from(values),
  float64: (values: number[]) => Float64Array.from(values),
  int8: (values: number[]) => Int8Array.from(values),
  uint8: (values: number[]) => Uint8Array.from(values),
  int32: (values: number[]) => Int32Array.from(values),
  int64: (values: number[]) => BigInt64Array.from(values, BigInt),
  bool: (values: number[]) => Uint8Array.from(values, (value) => (value === 0 ? 0 : 1)),
} satisfies Partial<Record<DataType, (values: number[]) => DataValues>>;
type Made = keyof typeof MAKERS;

const options = z.strictObject({
  path: z
    .string()
    .describe("one JSON object a line, plain or gzipped: the inputs, `target`, optional `group`, `sequence`, `slices`"),
  inputs: z
    .record(
      z.string(),
      z.strictObject({
        dtype: z.enum(Object.keys(MAKERS) as [Made, ...Made[]]).default("float32"),
        shape: z.array(z.int().min(1)).describe("of one sample, batch axis included"),
      }),
    )
    .refine((inputs) => Object.keys(inputs).length > 0, "name at least one input"),
  ...selection,
});
type Options = z.infer<typeof options>;

const line = z.looseObject({
  target: z.union([z.string(), z.number(), z.array(z.number())]).optional(),
  group: z.union([z.string(), z.number()]).optional(),
  sequence: z.union([z.string(), z.number()]).optional(),
  slices: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

/** Nested lists of numbers, flat; undefined where there is anything else. */
function flatten(value: unknown): number[] | undefined {
  const flat = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  return flat.every((element) => typeof element === "number") ? (flat as number[]) : undefined;
}

function targetOf(target: string | number | number[] | undefined): DataArray | string | undefined {
  if (target === undefined || typeof target === "string") return target;
  const values = [target].flat();
  if (!values.every(Number.isSafeInteger))
    return { dtype: "float64", shape: [values.length], data: Float64Array.from(values) };
  return { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}

const reader: Reader<Options> = {
  summary:
    "One JSON object a line: arrays of numbers under the inputs' names, `target`, `group`, `sequence`, `slices`.",
  options,
  async open(given, folder) {
    const { source, starts, lengths } = await openLines(resolveReference(given.path, folder));
    const sampleOf = (index: number): Sample => {
      const where = `${given.path}, sample ${index}`;
      const wrong = (code: "bad-json" | "data-shape", message: string) =>
        new CompileError(`usage/${code}`, message, { where });
      const parsed = line.safeParse(parseJson(source.read(starts[index], lengths[index])));
      if (!parsed.success)
        throw wrong("bad-json", `the line is no JSON object of a sample: ${parsed.error.issues[0].message}`);
      const { target, group, sequence, slices = {}, ...rest } = parsed.data;
      const values = new Map(Object.entries(rest));
      const inputs = new Map<string, DataArray>();
      for (const [name, { dtype, shape }] of Object.entries(given.inputs)) {
        const numbers = flatten(values.get(name));
        const count = shape.reduce((product, dim) => product * dim, 1);
        if (numbers?.length !== count || (dtype === "int64" && !numbers.every(Number.isSafeInteger))) {
          throw wrong("data-shape", `${JSON.stringify(name)} does not hold ${count} ${dtype} numbers`);
        }
        inputs.set(name, { dtype, shape, data: MAKERS[dtype](numbers) });
      }
      const found = targetOf(target);
      return makeSample({
        id: String(index),
        inputs,
        slices: new Map(Object.entries(slices).map(([key, value]) => [key, String(value)])),
        ...(group !== undefined && { group: String(group) }),
        ...(sequence !== undefined && { sequence: String(sequence) }),
        ...(found !== undefined && { target: found }),
      });
    };
    const chosen = choose(starts.length, given, (index) => sampleOf(index).group);
    return {
      length: chosen.length,
      read: async (index) => sampleOf(chosen.at(index)),
      describe: () => ({
        reader: "jsonl",
        length: chosen.length,
        inputs: Object.entries(given.inputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
        source: given.path,
      }),
      close: () => source.close(),
    };
  },
};
export default reader;
