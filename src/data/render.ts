import { join } from "node:path";
import { loadCanvas } from "./canvas.ts";
import { between, normal } from "./random.ts";
import { packageFolder } from "./reference.ts";

/** Lines of text drawn as pixels, and what a camera or a bad screen does to them. */

export interface Font {
  /** For slices and reports: `roboto-400`. */
  readonly name: string;
  /** What the canvas knows it by. */
  readonly family: string;
}

/** Grey values 0..255 or three channels of them, interleaved; row-major. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** width · height · 3, red first. */
  readonly data: Float32Array;
}

export type Colour = readonly [red: number, green: number, blue: number];

export interface Painter {
  readonly fonts: readonly Font[];
  /** Width in pixels. */
  measure(text: string, font: Font, size: number): number;
  /** The text at (x, middle of the height). At most the canvas's size. */
  draw(text: string, font: Font, size: number, place: Place): Pixels;
}

export interface Place {
  readonly x: number;
  readonly width: number;
  readonly height: number;
  readonly ink: Colour;
  readonly paper: Colour;
}

const registered = new Map<string, string>();

/**
 * A painter with fonts of the @fontsource packages, each `PACKAGE-WEIGHT`, such as `open-sans-400`.
 * @throws CompileError naming the npm command where the canvas or a font is not installed.
 */
export function openPainter(
  fonts: readonly string[],
  folder: string,
  size: { width: number; height: number },
): Painter {
  const { createCanvas, GlobalFonts } = loadCanvas(folder);
  const loaded = fonts.map((name): Font => {
    const path = fontFile(name, folder);
    const alias = registered.get(path) ?? `optimus ${registered.size}`;
    if (!registered.has(path)) GlobalFonts.registerFromPath(path, alias);
    registered.set(path, alias);
    return { name, family: alias };
  });
  const context = createCanvas(size.width, size.height).getContext("2d");
  const select = (font: Font, pixels: number): void => {
    context.font = `${pixels}px "${font.family}"`;
  };
  return {
    fonts: loaded,
    measure(text, font, pixels) {
      select(font, pixels);
      return context.measureText(text).width;
    },
    draw(text, font, pixels, { x, width, height, ink, paper }) {
      select(font, pixels);
      context.textBaseline = "middle";
      context.fillStyle = css(paper);
      context.fillRect(0, 0, width, height);
      context.fillStyle = css(ink);
      context.fillText(text, x, height / 2);
      const { data } = context.getImageData(0, 0, width, height);
      const colours = new Float32Array(width * height * 3);
      for (let pixel = 0; pixel < width * height; pixel++) {
        for (let channel = 0; channel < 3; channel++) colours[pixel * 3 + channel] = data[pixel * 4 + channel];
      }
      return { width, height, data: colours };
    },
  };
}

/** The file of a font `PACKAGE-WEIGHT`. @throws CompileError where its package is not installed. */
export function fontFile(name: string, folder: string): string {
  const { family, weight } = /^(?<family>.+)-(?<weight>\d+)$/.exec(name)?.groups ?? { family: name, weight: "400" };
  return join(packageFolder(`@fontsource/${family}`, folder), "files", `${family}-latin-${weight}-normal.woff2`);
}

const css = ([red, green, blue]: Colour): string => `rgb(${red}, ${green}, ${blue})`;

/** Adds the same normal noise to a pixel's three channels, as a sensor's or a compressed screen's is. */
export function addNoise({ data, ...size }: Pixels, deviation: number, random: () => number): Pixels {
  if (deviation === 0) return { ...size, data };
  const noisy = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const noise = normal(random) * deviation;
    for (let channel = 0; channel < 3; channel++) {
      noisy[at + channel] = Math.min(255, Math.max(0, data[at + channel] + noise));
    }
  }
  return { ...size, data: noisy };
}

/** Resizes by bilinear interpolation between pixel centres, as OCR preprocessing does. */
export function resize({ data, width, height }: Pixels, toWidth: number, toHeight: number): Pixels {
  const [columns, rows] = [steps(width, toWidth), steps(height, toHeight)];
  const out = new Float32Array(toWidth * toHeight * 3);
  for (let y = 0; y < toHeight; y++) {
    const [top, bottom, down] = [rows.from[y] * width, rows.to[y] * width, rows.part[y]];
    for (let x = 0; x < toWidth; x++) {
      const [left, right, across] = [columns.from[x], columns.to[x], columns.part[x]];
      for (let channel = 0; channel < 3; channel++) {
        const above = lerp(data[(top + left) * 3 + channel], data[(top + right) * 3 + channel], across);
        const below = lerp(data[(bottom + left) * 3 + channel], data[(bottom + right) * 3 + channel], across);
        out[(y * toWidth + x) * 3 + channel] = lerp(above, below, down);
      }
    }
  }
  return { width: toWidth, height: toHeight, data: out };
}

const lerp = (a: number, b: number, part: number): number => a + (b - a) * part;

/** For each new place, the two old ones it lies between and how far on the way. */
function steps(size: number, toSize: number): { from: Uint32Array; to: Uint32Array; part: Float64Array } {
  const from = new Uint32Array(toSize);
  const to = new Uint32Array(toSize);
  const part = new Float64Array(toSize);
  for (let at = 0; at < toSize; at++) {
    const centre = Math.min(size - 1, Math.max(0, ((at + 0.5) * size) / toSize - 0.5));
    from[at] = Math.floor(centre);
    to[at] = Math.min(size - 1, from[at] + 1);
    part[at] = centre - from[at];
  }
  return { from, to, part };
}

/** Out of focus: `strength` 0..1 between a pixel and the 1-2-1 mean of its neighbours, along both axes, `times` over. */
export function blur(pixels: Pixels, times: number): Pixels {
  let { data } = pixels;
  const { width, height } = pixels;
  for (let round = 0; round < times; round++) {
    data = smooth(data, width, height, 3, 1);
    data = smooth(data, width, height, width * 3, 0);
  }
  return { width, height, data };
}

/** (1, 2, 1) / 4 along the axis that is `stride` apart; edges repeat. */
function smooth(data: Float32Array, width: number, height: number, stride: number, alongRows: 0 | 1): Float32Array {
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const first = alongRows ? x === 0 : y === 0;
      const last = alongRows ? x === width - 1 : y === height - 1;
      for (let at = (y * width + x) * 3, end = at + 3; at < end; at++) {
        out[at] = (data[first ? at : at - stride] + 2 * data[at] + data[last ? at : at + stride]) / 4;
      }
    }
  }
  return out;
}

/** Turned by half a circle. */
export function upsideDown({ data, width, height }: Pixels): Pixels {
  const out = new Float32Array(data.length);
  for (let pixel = 0, last = width * height - 1; pixel <= last; pixel++) {
    for (let channel = 0; channel < 3; channel++) out[(last - pixel) * 3 + channel] = data[pixel * 3 + channel];
  }
  return { width, height, data: out };
}

/**
 * Planes [3, height, width] of (x / 255 − 0.5) / 0.5, as PP-OCR wants them; what lies right of the picture is 0.
 * `order`: which colour the first plane holds.
 */
export function planes({ data, width, height }: Pixels, toWidth: number, order: "rgb" | "bgr"): Float32Array {
  const out = new Float32Array(3 * height * toWidth);
  for (let plane = 0; plane < 3; plane++) {
    const channel = order === "rgb" ? plane : 2 - plane;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < Math.min(width, toWidth); x++) {
        out[(plane * height + y) * toWidth + x] = Math.round(data[(y * width + x) * 3 + channel]) / 127.5 - 1;
      }
    }
  }
  return out;
}

/** Two colours whose brightness lies `contrast` apart (0..1), ink darker or, one time in three, lighter. */
export function colours(random: () => number, contrast: number): { readonly ink: Colour; readonly paper: Colour } {
  const span = contrast * 255;
  const low = between(random, 0, 255 - span);
  const tint = (level: number, freedom: number): Colour => {
    const one = (): number => Math.round(Math.min(255, Math.max(0, level + between(random, -freedom, freedom))));
    return [one(), one(), one()];
  };
  const freedom = Math.min(20, span / 6);
  const [dark, light] = [tint(low, freedom), tint(low + span, freedom)];
  return random() < 1 / 3 ? { ink: light, paper: dark } : { ink: dark, paper: light };
}
