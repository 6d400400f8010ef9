import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packageFolder } from "./reference.ts";

/** What is used of npm's `@napi-rs/canvas`, which is not needed unless pictures are drawn or decoded. */
export interface CanvasModule {
  createCanvas(width: number, height: number): { getContext(kind: "2d"): Context2D };
  loadImage(source: Uint8Array): Promise<Picture>;
  readonly GlobalFonts: { registerFromPath(path: string, alias: string): unknown };
}

export interface Picture {
  readonly width: number;
  readonly height: number;
}

export interface Context2D {
  font: string;
  fillStyle: string;
  textBaseline: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
  drawImage(picture: Picture, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}

/** @throws CompileError naming the npm command where the package is not installed. */
export function loadCanvas(folder: string): CanvasModule {
  const root = packageFolder("@napi-rs/canvas", folder);
  return createRequire(join(root, "package.json"))("./") as CanvasModule;
}

/** The files that decide what is drawn: the package's version and its binaries, which lie in packages beside it. */
export function canvasFiles(folder: string): string[] {
  const root = packageFolder("@napi-rs/canvas", folder);
  const binaries = readdirSync(dirname(root))
    .filter((name) => name.startsWith("canvas-"))
    .sort()
    .flatMap((name) => {
      const inside = join(dirname(root), name);
      return readdirSync(inside)
        .sort()
        .map((file) => join(inside, file));
    });
  return [join(root, "package.json"), ...binaries.filter((path) => path.endsWith(".node"))];
}
