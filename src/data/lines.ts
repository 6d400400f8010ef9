import { join } from "node:path";
import { z } from "zod";
import { brownDocuments, brownWords } from "./brown.ts";
import { canvasFiles } from "./canvas.ts";
import { digestOfFiles } from "./origin.ts";
import { between, pick, seedOf, splitMix } from "./random.ts";
import { addNoise, blur, colours, fontFile, openPainter, type Painter, type Pixels, resize } from "./render.ts";
import { SPLITS } from "./split.ts";

/** Lines of a corpus as pictures: which text, drawn how, and how hard to read. The readers of lines share it. */

/** What makes a line easy or hard to read. Numbers are ranges or choices; each line draws its own. */
type Range = readonly [low: number, high: number];
const SIZES: Readonly<Record<"small" | "medium" | "large", Range>> = {
  small: [10, 13],
  medium: [14, 22],
  large: [24, 40],
};
const NOISES = { none: 0, some: 8, strong: 20 } as const;
const CONTRASTS: Readonly<Record<"low" | "middle" | "full", Range>> = {
  low: [0.18, 0.3],
  middle: [0.35, 0.6],
  full: [0.7, 0.95],
};
const BLURS = { sharp: 0, soft: 1, blurred: 2 } as const;

const keysOf = <T extends object>(choices: T) => Object.keys(choices) as [keyof T & string, ...(keyof T & string)[]];
const levels = <T extends object>(choices: T) =>
  z
    .array(z.enum(keysOf(choices)))
    .min(1)
    .default(keysOf(choices));

/** The options that every reader of rendered lines has. */
export const lineOptions = {
  input: z.string().default("x").describe("the model's input"),
  height: z.int().min(16).max(128).default(48),
  count: z.int().min(1).max(1_000_000).default(2000).describe("lines"),
  seed: z.int().min(0).default(0),
  split: z.enum(SPLITS).optional().describe("only documents whose hash falls into this split"),
  fonts: z
    .array(z.string().regex(/^[a-z0-9-]+-\d+$/, "a font is PACKAGE-WEIGHT, such as roboto-400"))
    .min(1)
    .default(["roboto-400", "open-sans-400", "lora-400", "jetbrains-mono-400"])
    .describe("@fontsource packages and weights"),
  order: z.enum(["rgb", "bgr"]).default("bgr").describe("the colour of the first plane"),
  sizes: levels(SIZES).describe("size of the type on the screen, before the line is scaled to the model's height"),
  noises: levels(NOISES),
  contrasts: levels(CONTRASTS),
  blurs: levels(BLURS),
};
const schema = z.strictObject({ ...lineOptions, width: z.int() });
export type LineOptions = z.infer<typeof schema>;

export interface Line {
  readonly id: string;
  /** The document. */
  readonly group: string;
  readonly text: string;
  readonly slices: Map<string, string>;
  /** At most `width` wide, exactly `height` high. */
  readonly pixels: Pixels;
  /** Goes on where the drawing stopped, for what the reader itself draws by lot. */
  readonly random: () => number;
}

export interface LineSource {
  readonly length: number;
  /** Depends on the options and the index alone. */
  line(index: number): Line;
  /** sha256 over documents, fonts and the canvas. */
  origin(): string;
}

/** The letters' size as a share of the line's height. */
const FONT_SHARE = 0.72;
const MAX_WORDS = 24;
const CACHED_DOCUMENTS = 512;

/** @throws CompileError naming the npm command where the corpus, the canvas or a font is missing. */
export function openLines(given: LineOptions, folder: string): LineSource {
  const { root, names } = brownDocuments(folder, given.split);
  const tallest = heightOf(Math.max(...given.sizes.map((size) => SIZES[size][1]))) + 1;
  const canvas = { width: Math.ceil((given.width * tallest) / given.height) + 1, height: tallest };
  const painter = openPainter(given.fonts, folder, canvas);
  const cached = new Map<string, string[]>();
  const wordsOf = (document: string): string[] => {
    const words = cached.get(document) ?? brownWords(root, document);
    if (cached.size >= CACHED_DOCUMENTS) cached.clear();
    cached.set(document, words);
    return words;
  };
  return {
    length: names.length === 0 ? 0 : given.count,
    line(index) {
      const group = names[index % names.length];
      const id = `${group}#${Math.floor(index / names.length)}`;
      const random = splitMix(seedOf(given.seed, id));
      return { id, group, random, ...drawLine(given, painter, wordsOf(group), random) };
    },
    origin() {
      const documents = names.map((name) => join(root, name));
      return digestOfFiles([
        ...documents,
        ...given.fonts.map((name) => fontFile(name, folder)),
        ...canvasFiles(folder),
      ]);
    },
  };
}

const heightOf = (letters: number): number => Math.ceil(letters / FONT_SHARE);

function drawLine(
  given: LineOptions,
  painter: Painter,
  words: readonly string[],
  random: () => number,
): Pick<Line, "text" | "slices" | "pixels"> {
  const size = pick(random, given.sizes);
  const noise = pick(random, given.noises);
  const contrast = pick(random, given.contrasts);
  const softness = pick(random, given.blurs);
  const font = pick(random, painter.fonts);
  const letters = Math.round(between(random, ...SIZES[size]) * 2) / 2;
  const height = heightOf(letters);
  const width = Math.floor((given.width * height) / given.height);
  const margin = letters * between(random, 0.1, 0.4);
  const wanted = (width - 2 * margin) * between(random, 0.6, 1);
  const start = Math.floor(random() * words.length);
  const text = fitWords(words, start, (line) => painter.measure(line, font, letters) <= wanted);
  const used = Math.min(width, Math.ceil(painter.measure(text, font, letters) + 2 * margin));
  const { ink, paper } = colours(random, between(random, ...CONTRASTS[contrast]));
  const drawn = painter.draw(text, font, letters, { x: margin, width: used, height, ink, paper });
  const noisy = addNoise(drawn, NOISES[noise], random);
  const scaled = resize(noisy, Math.min(given.width, Math.round((used * given.height) / height)), given.height);
  const slices = new Map<string, string>([
    ["font", font.name],
    ["size", size],
    ["noise", noise],
    ["contrast", contrast],
    ["blur", softness],
  ]);
  return { text, slices, pixels: blur(scaled, BLURS[softness]) };
}

/** As many of the words, from one on, as fit; at least a part of the first. */
function fitWords(words: readonly string[], start: number, fits: (text: string) => boolean): string {
  let text = words[start % words.length];
  while (text.length > 1 && !fits(text)) text = text.slice(0, -1);
  for (let next = 1; next < MAX_WORDS; next++) {
    const longer = `${text} ${words[(start + next) % words.length]}`;
    if (!fits(longer)) break;
    text = longer;
  }
  return text;
}
