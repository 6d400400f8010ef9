import { globSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type CanvasModule, loadCanvas } from "../canvas.ts";
import { type DataArray, makeSample, type Reader } from "../dataset.ts";
import { type Pixels, resize } from "../render.ts";
import { choose, selection } from "../split.ts";

const three = z.array(z.number()).length(3);

const options = z.strictObject({
  folder: z.string().describe("PNG, JPEG or WebP files; those of each class in a folder of its own"),
  pattern: z.string().default("**/*.{png,jpg,jpeg,webp}").describe("which files below the folder"),
  input: z.string().default("image").describe("the model's input"),
  width: z.int().min(1).max(16_384),
  height: z.int().min(1).max(16_384),
  layout: z.enum(["nchw", "nhwc"]).default("nchw"),
  order: z.enum(["rgb", "bgr"]).default("rgb").describe("the colour of the first channel"),
  mean: three.default([0.485, 0.456, 0.406]).describe("(x / 255 − mean) / deviation, red first"),
  deviation: three.default([0.229, 0.224, 0.225]),
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

function arrange({ data }: Pixels, given: Options): DataArray {
  const { width, height, layout, order, mean, deviation } = given;
  const size = width * height;
  const out = new Float32Array(size * 3);
  for (let place = 0; place < 3; place++) {
    const channel = order === "rgb" ? place : 2 - place;
    for (let pixel = 0; pixel < size; pixel++) {
      const value = (data[pixel * 3 + channel] / 255 - mean[channel]) / deviation[channel];
      out[layout === "nchw" ? place * size + pixel : pixel * 3 + place] = value;
    }
  }
  return { dtype: "float32", shape: shapeOf(given), data: out };
}

const shapeOf = ({ layout, width, height }: Options): number[] =>
  layout === "nchw" ? [1, 3, height, width] : [1, height, width, 3];

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
    const canvas = loadCanvas(folder);
    const chosen = choose(names.length, given, (index) => names[index]);
    return {
      length: chosen.length,
      async read(index) {
        const name = names[chosen.at(index)];
        const inputs = new Map([
          [given.input, arrange(resize(await decode(canvas, join(root, name)), given.width, given.height), given)],
        ]);
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
