import { CompileError } from "../error.ts";
import type { DataArray, Dataset, Sample } from "./dataset.ts";

/** What the model wants to be fed: name → type and shape. */
export type Wanted = ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>;

const strip = (shape: readonly number[]): string => {
  let ones = 0;
  while (shape[ones] === 1) ones++;
  return shape.slice(ones).join();
};

/** @throws CompileError where the data lacks an input, or has it in another type or shape. Leading 1s do not count. */
export function checkInputs(dataset: Dataset, wanted: Wanted, where: string): void {
  const { inputs, source } = dataset.describe();
  const given = new Map(inputs.map((input) => [input.name, input]));
  for (const [name, { dtype, shape }] of wanted) {
    const input = given.get(name);
    const place = `${where} data, ${source}`;
    if (input === undefined) {
      const has = [...given.keys()].map((key) => JSON.stringify(key)).join(", ");
      throw new CompileError(
        "usage/data-input",
        `the data has no array for the model's input ${JSON.stringify(name)}`,
        {
          where: place,
          remedy: `it has ${has}; arrays are named as the model's inputs`,
        },
      );
    }
    if (input.dtype !== dtype) {
      throw new CompileError(
        "usage/data-type",
        `input ${JSON.stringify(name)} is ${dtype}, but the data is ${input.dtype}`,
        {
          where: place,
          remedy: `save it as ${dtype}`,
        },
      );
    }
    if (strip(input.shape) !== strip(shape)) {
      const sizes = `[${shape.join(", ")}], but a sample of the data is [${input.shape.join(", ")}]`;
      throw new CompileError("usage/data-shape", `input ${JSON.stringify(name)} is ${sizes}`, {
        where: place,
        remedy: "the first axis of the data counts the samples; bind the model's shape in the recipe's `inputs`",
      });
    }
  }
}

/** The sample's arrays in the model's shapes (checked by `checkInputs` before); arrays the model does not take are left out. */
export function fitSample(sample: Sample, wanted: Wanted): Map<string, DataArray> {
  const fitted = new Map<string, DataArray>();
  for (const [name, { shape }] of wanted) {
    const array = sample.inputs.get(name);
    if (array === undefined) throw new Error(`bug: sample ${sample.id} has no ${name}`);
    fitted.set(name, { ...array, shape });
  }
  return fitted;
}
