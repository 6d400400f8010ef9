/** What a batch's samples go through before they are learnt from. Random numbers are drawn sample by sample, in a fixed order. */
import { normal } from "../data/random.ts";
import { CompileError } from "../error.ts";
import { elementCount, type Tensor } from "../ir/graph.ts";

export interface Augmentation {
  readonly input?: string | undefined;
  readonly crop: number;
  readonly flip: boolean;
  readonly noise: number;
  /** SpecAugment's masks (Park et al. 2019): bands of rows and of columns that are set to 0. */
  readonly bands?: { readonly count: number; readonly rows: number; readonly columns: number } | undefined;
  /** Each class number becomes `value` with this probability. */
  readonly tokens?: { readonly share: number; readonly value: number } | undefined;
}

/** Replaces the augmented input in `feeds`. Throws usage/recipe where it is not of the kind that the augmentation is for. */
export function augmentInput(feeds: Map<string, Tensor>, augment: Augmentation, random: () => number): void {
  const name = augment.input ?? [...feeds.keys()][0];
  const tensor = feeds.get(name);
  const { crop, flip, noise, bands, tokens } = augment;
  const refuse = (wanted: string): CompileError =>
    new CompileError("usage/recipe", `augment: "${name}" is no ${wanted}`);
  if (tokens) {
    if (tensor?.dtype !== "int64") throw refuse("int64 input of class numbers");
    const values = BigInt64Array.from(tensor.data as BigInt64Array, (value) =>
      random() < tokens.share ? BigInt(tokens.value) : value,
    );
    feeds.set(name, { ...tensor, data: values });
  }
  const moves = crop > 0 || flip;
  if (!moves && noise === 0 && bands === undefined) return;
  if (tensor?.dtype !== "float32" || (moves && tensor.shape.length !== 4)) {
    throw refuse("float32 input [samples, channels, rows, columns]");
  }
  if (bands && tensor.shape.length < 3) throw refuse("float32 input [samples, …, rows, columns]");
  const values = (tensor.data as Float32Array).slice();
  if (moves && values.length > 0) moveSamples(tensor, values, augment, random);
  if (noise > 0) for (let at = 0; at < values.length; at++) values[at] += noise * normal(random);
  if (bands && values.length > 0) maskBands(tensor.shape, values, bands, random);
  feeds.set(name, { ...tensor, data: values });
}

function moveSamples(tensor: Tensor, values: Float32Array, { crop, flip }: Augmentation, random: () => number): void {
  const [samples, channels, rows, columns] = tensor.shape;
  for (let sample = 0; sample < samples; sample++) {
    const down = Math.floor(random() * (2 * crop + 1)) - crop;
    const right = Math.floor(random() * (2 * crop + 1)) - crop;
    const mirrored = flip && random() < 0.5;
    for (let plane = sample * channels; plane < (sample + 1) * channels; plane++) {
      const from = (tensor.data as Float32Array).subarray(plane * rows * columns, (plane + 1) * rows * columns);
      const to = values.subarray(plane * rows * columns, (plane + 1) * rows * columns);
      movePlane(from, to, columns, { down, right, mirrored });
    }
  }
}

/** The same bands in every plane of a sample. A band has 0 to `rows` rows, or 0 to `columns` columns, each as likely. */
function maskBands(
  shape: readonly number[],
  values: Float32Array,
  { count, rows, columns }: NonNullable<Augmentation["bands"]>,
  random: () => number,
): void {
  const [height, width] = shape.slice(-2);
  const size = elementCount(shape.slice(1));
  const band = (most: number, room: number): { from: number; to: number } => {
    const length = Math.floor(random() * (Math.min(most, room) + 1));
    const from = Math.floor(random() * (room - length + 1));
    return { from, to: from + length };
  };
  for (let start = 0; start < values.length; start += size) {
    for (let mask = 0; mask < count; mask++) {
      const [across, along] = [band(rows, height), band(columns, width)];
      for (let line = 0; line < size / width; line++) {
        const first = start + line * width;
        const row = line % height;
        if (row >= across.from && row < across.to) values.fill(0, first, first + width);
        else values.fill(0, first + along.from, first + along.to);
      }
    }
  }
}

interface Move {
  readonly down: number;
  readonly right: number;
  readonly mirrored: boolean;
}

function movePlane(from: Float32Array, to: Float32Array, columns: number, { down, right, mirrored }: Move): void {
  const rows = from.length / columns;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [y, x] = [row - down, (mirrored ? columns - 1 - column : column) - right];
      const inside = y >= 0 && y < rows && x >= 0 && x < columns;
      to[row * columns + column] = inside ? from[y * columns + x] : 0;
    }
  }
}
