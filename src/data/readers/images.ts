import { globSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type CanvasModule, loadCanvas } from "../canvas.ts";
import { type DataArray, makeSample, type Reader } from "../dataset.ts";
import { type Colour, type Pixels, resize } from "../render.ts";
import { choose, selection } from "../split.ts";

/** One number a channel. */
const channels = z.array(z.number()).min(1).max(3);

const options = z.strictObject({
  folder: z.string().describe("PNG, JPEG or WebP files; those of each class in a folder of its own"),
  pattern: z.string().default("**/*.{png,jpg,jpeg,webp}").describe("which files below the folder"),
  input: z.string().default("image").describe("the model's input"),
  width: z.int().min(1).max(16_384),
  height: z.int().min(1).max(16_384),
  layout: z.enum(["nchw", "nhwc"]).default("nchw"),
  order: z.enum(["rgb", "bgr", "grey"]).default("rgb").describe("the channels; grey is one, the luma"),
  mean: channels.optional().describe("(x / 255 − mean) / deviation, red first; default: ImageNet's, of grey 0 and 1"),
  deviation: channels.optional(),
  classes: z.array(z.string()).optional().describe("the folders' names by class number; default: sorted"),
  ...selection,
});
type Options = z.infer<typeof options>;

const MAX_FILE_BYTES = 256 * 2 ** 20;
/** A small file can hold a huge picture. */
const MAX_PIXELS = 2 ** 27;

async function decode(canvas: CanvasModule, path: string): Promise<Pixels> {
  const refuse = (message: string, cause?: unknown): CompileError =>
    new CompileError("usage/bad-image", message, { where: path, remedy: "give PNG, JPEG or WebP pictures", cause });
  if (statSync(path).size > MAX_FILE_BYTES) throw refuse("the picture's file is too big");
  const picture = await canvas.loadImage(readFileSync(path)).catch((cause: unknown) => {
    throw refuse("the picture cannot be decoded", cause);
  });
  const { width, height } = picture;
  if (!(width >= 1 && height >= 1 && width * height <= MAX_PIXELS)) throw refuse(`the picture is ${width} × ${height}`);
  const context = canvas.createCanvas(width, height).getContext("2d");
  context.drawImage(picture, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Float32Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) data[pixel * 3 + channel] = rgba[pixel * 4 + channel];
  }
  return { width, height, data };
}

/** What the channels are made of: shares of red, green and blue. Grey is the luma of ITU-R BT.601. */
const MIXES: Readonly<Record<Options["order"], readonly Colour[]>> = {
  rgb: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  bgr: [
    [0, 0, 1],
    [0, 1, 0],
    [1, 0, 0],
  ],
  grey: [[0.299, 0.587, 0.114]],
};
/** ImageNet's, which most models of pictures were trained with. */
const COLOUR = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
const GREY = { mean: [0], deviation: [1] };

interface Channel {
  readonly mix: Colour;
  readonly mean: number;
  readonly deviation: number;
}

/** Throws usage/data-option where the numbers are not one a channel. */
function channelsOf({ order, mean, deviation }: Options): Channel[] {
  const mixes = MIXES[order];
  const usual = order === "grey" ? GREY : COLOUR;
  const [means, deviations] = [mean ?? usual.mean, deviation ?? usual.deviation];
  if (means.length !== mixes.length || deviations.length !== mixes.length) {
    throw new CompileError("usage/data-option", `"mean" and "deviation" want ${mixes.length} numbers with ${order}`, {
      where: "data reader images",
    });
  }
  return mixes.map((mix, place) => {
    // Both lists are red first, in whatever order the channels are.
    const at = order === "bgr" ? 2 - place : place;
    return { mix, mean: means[at], deviation: deviations[at] };
  });
}

function arrange({ data }: Pixels, given: Options, channels: readonly Channel[]): DataArray {
  const size = given.width * given.height;
  const out = new Float32Array(size * channels.length);
  for (const [place, { mix, mean, deviation }] of channels.entries()) {
    for (let pixel = 0; pixel < size; pixel++) {
      const at = pixel * 3;
      const value = mix[0] * data[at] + mix[1] * data[at + 1] + mix[2] * data[at + 2];
      out[given.layout === "nchw" ? place * size + pixel : pixel * channels.length + place] =
        (value / 255 - mean) / deviation;
    }
  }
  return { dtype: "float32", shape: shapeOf(given), data: out };
}

const shapeOf = ({ layout, width, height, order }: Options): number[] => {
  const count = MIXES[order].length;
  return layout === "nchw" ? [1, count, height, width] : [1, height, width, count];
};

const reader: Reader<Options> = {
  summary: "Pictures in folders, one a class, scaled to the model's size and normalised.",
  options,
  async open(given, folder) {
    const root = resolve(folder, given.folder);
    if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
      throw new CompileError("usage/missing-data", "the folder of pictures does not exist", { where: root });
    }
    const names = globSync(given.pattern, { cwd: root })
      .map((name) => name.split(sep).join("/"))
      .sort();
    const classOf = (name: string): string => name.split("/").slice(0, -1).join("/");
    const classes = given.classes ?? [...new Set(names.map(classOf))].sort();
    const labelled = classes.some((name) => name !== "");
    const channels = channelsOf(given);
    const canvas = loadCanvas(folder);
    const chosen = choose(names.length, given, (index) => names[index]);
    return {
      length: chosen.length,
      async read(index) {
        const name = names[chosen.at(index)];
        const pixels = resize(await decode(canvas, join(root, name)), given.width, given.height);
        const inputs = new Map([[given.input, arrange(pixels, given, channels)]]);
        if (!labelled) return makeSample({ id: name, group: name, inputs });
        const label = classes.indexOf(classOf(name));
        if (label < 0) {
          throw new CompileError("usage/data-option", `no class is called ${JSON.stringify(classOf(name))}`, {
            where: join(root, name),
          });
        }
        const target: DataArray = { dtype: "int64", shape: [1], data: BigInt64Array.of(BigInt(label)) };
        return makeSample({ id: name, group: name, inputs, target, slices: new Map([["class", classOf(name)]]) });
      },
      describe: () => ({
        reader: "images",
        length: chosen.length,
        inputs: [{ name: given.input, dtype: "float32", shape: shapeOf(given) }],
        source: given.folder,
      }),
      close() {},
    };
  },
};
export default reader;
