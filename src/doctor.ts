/** Whether this machine can build: each thing that a build needs, looked at by itself. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { availableParallelism, freemem, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { cacheFolder } from "./cache/folder.ts";
import { loadRecipe } from "./recipe.ts";

/** `warning`: a build may work, but slowly, or not for every model. */
export type Health = "good" | "warning" | "bad";

export interface Finding {
  readonly name: string;
  readonly health: Health;
  readonly says: string;
  readonly remedy?: string;
}

const GIB = 2 ** 30;

/** @param recipe a recipe to look at, too; @param out the folder that artifacts go to. */
export async function examine(out: string, recipe?: string): Promise<Finding[]> {
  return [
    nodeVersion(),
    await runtime(),
    simd(),
    kernels(),
    memory(),
    cores(),
    disk(out),
    writable("output folder", out),
    ...cache(),
    ...(recipe === undefined ? [] : [await recipeSanity(recipe)]),
  ];
}

interface Package {
  readonly version: string;
  readonly engines: { readonly node: string };
}

const own = JSON.parse(readFileSync(findPackageJSON(import.meta.url) ?? "", "utf8")) as Package;

function nodeVersion(): Finding {
  const [least, smaller] = (/(\d+)\.(\d+)/.exec(own.engines.node) ?? []).slice(1).map(Number);
  const [major, minor] = process.versions.node.split(".").map(Number);
  const enough = major > least || (major === least && minor >= smaller);
  const says = `${process.versions.node} on ${process.platform} ${process.arch}, optimus-compile ${own.version}`;
  if (enough) return { name: "Node", health: "good", says };
  return { name: "Node", health: "bad", says, remedy: `install Node ${own.engines.node}` };
}

/** Loaded and run once, since its native part is what fails where it does. */
async function runtime(): Promise<Finding> {
  const name = "ONNX Runtime";
  try {
    const { createSession } = await import("./run/ort.ts");
    const { encodeModel } = await import("./onnx/write.ts");
    const { parse } = await import("./ir/text.ts");
    const graph = parse("input x: float32[1]\ny: float32[1] = Relu(x)\nreturn y");
    const session = await createSession(encodeModel(graph));
    await session.release();
    const file = findPackageJSON("onnxruntime-node", import.meta.url);
    const { version } = JSON.parse(readFileSync(file ?? "", "utf8")) as { version: string };
    return { name, health: "good", says: `${version} loads and takes a model` };
  } catch (error) {
    const says = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { name, health: "bad", says, remedy: "npm install, on a system that onnxruntime-node has binaries for" };
  }
}

/** As in emulate/kernels/load.ts: Node's types leave it to the browser's. */
declare const WebAssembly: { validate(bytes: Uint8Array): boolean };

/** A module of one function with one vector constant: `v128.const; drop`. */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12],
  ...new Array<number>(16).fill(0),
  ...[26, 11],
);

function simd(): Finding {
  if (WebAssembly.validate(SIMD)) return { name: "WebAssembly SIMD", health: "good", says: "there" };
  return { name: "WebAssembly SIMD", health: "bad", says: "not there", remedy: "use a CPU and a Node that have it" };
}

function kernels(): Finding {
  const name = "kernels";
  const modules = ["emulate", "quant", "train"].map((part) => `./${part}/kernels/kernels.wasm`);
  if (modules.every((path) => existsSync(new URL(path, import.meta.url)))) {
    return { name, health: "good", says: "built" };
  }
  return { name, health: "bad", says: "kernels.wasm is missing", remedy: "npm run build" };
}

function memory(): Finding {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const says = `${gib(total)} GiB, ${gib(Math.min(total, freemem()))} free`;
  if (total >= 2 * GIB) return { name: "memory", health: "good", says };
  return { name: "memory", health: "warning", says, remedy: "models of 100 MB and more want 2 GiB or more" };
}

const gib = (bytes: number): string => (bytes / GIB).toFixed(1);

function cores(): Finding {
  const count = availableParallelism();
  const says = `${count}; a build uses ${Math.min(count, 16)} unless --jobs says otherwise`;
  return { name: "cores", health: "good", says };
}

function disk(folder: string): Finding {
  const { bavail, bsize } = statfsSync(existing(folder));
  const free = bavail * bsize;
  const says = `${gib(free)} GiB free for ${folder}`;
  if (free >= GIB) return { name: "disk", health: "good", says };
  return {
    name: "disk",
    health: free < 64 * 2 ** 20 ? "bad" : "warning",
    says,
    remedy: "make room, or choose another --out",
  };
}

/** The folder itself, or the nearest above it that is there. */
function existing(folder: string): string {
  let path = resolve(folder);
  while (!existsSync(path)) path = dirname(path);
  return path;
}

function writable(name: string, folder: string): Finding {
  const path = existing(folder);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return { name, health: "good", says: `${folder} can be written` };
  } catch {
    return { name, health: "bad", says: `${path} cannot be written`, remedy: "choose another --out" };
  }
}

function cache(): Finding[] {
  const folder = cacheFolder();
  if (folder === undefined) return [{ name: "cache", health: "good", says: "off, as OPTIMUS_CACHE says" }];
  const { health, says } = writable("cache", folder);
  if (health === "good") return [{ name: "cache", health, says }];
  return [{ name: "cache", health: "warning", says, remedy: "set OPTIMUS_CACHE to a folder, or to off" }];
}

async function recipeSanity(path: string): Promise<Finding> {
  try {
    const recipe = loadRecipe(path, { strict: true });
    const { planBuild } = await import("./plan.ts");
    const { samples } = await planBuild(recipe);
    const says = `${recipe.name}: ${samples.calibration} calibration and ${samples.certification} certification samples`;
    return { name: "recipe", health: "good", says };
  } catch (error) {
    const { message, where, remedy } = error as Error & { where?: string; remedy?: string };
    return {
      name: "recipe",
      health: "bad",
      says: `${message}${where ? ` (${where})` : ""}`,
      ...(remedy && { remedy }),
    };
  }
}
