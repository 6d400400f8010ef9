/** What this program is, so that an artifact can say what made it: versions, and digests of the files that run. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256 } from "./artifact/container.ts";
import type { Lineage } from "./artifact/lineage.ts";
import { bug } from "./error.ts";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const packageFile = findPackageJSON(import.meta.url) ?? bug("no package.json above the program");
/** Holds `src` and `passes`, as they run: sources, or what was built from them. */
const program = fileURLToPath(new URL("../", import.meta.url));

export interface ToolFacts {
  readonly compiler: Lineage["compiler"];
  readonly emulator: Lineage["emulator"];
  readonly numerics: string;
}

let facts: ToolFacts | undefined;

export function toolFacts(): ToolFacts {
  facts ??= readFacts();
  return facts;
}

function readFacts(): ToolFacts {
  const { name, version, dependencies } = read(packageFile);
  const versions = Object.keys(dependencies ?? {}).sort();
  const installed = versions.map((one): [string, string] => [one, versionOf(one)]);
  const lockfile = join(dirname(packageFile), "package-lock.json");
  return {
    compiler: {
      name,
      version,
      node: process.versions.node,
      digest: digestOfFolders(["src", "passes"]),
      dependencies: Object.fromEntries(installed),
      ...(existsSync(lockfile) && { lockfile: `sha256:${sha256(readFileSync(lockfile))}` }),
    },
    emulator: { version, digest: digestOfFolders(["src/emulate"]) },
    numerics: numericsOf(new Map(installed)),
  };
}

const read = (path: string): Package => JSON.parse(readFileSync(path, "utf8")) as Package;

function versionOf(dependency: string): string {
  const found = findPackageJSON(dependency, import.meta.url);
  return found === undefined ? "not installed" : read(found).version;
}

/** Of names and contents, whatever the folder's place. */
function digestOfFolders(folders: readonly string[]): string {
  const hash = createHash("sha256");
  for (const folder of folders) {
    const names = readdirSync(join(program, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|js|wasm)$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    for (const name of names) {
      hash.update(`${name.slice(program.length).replaceAll("\\", "/")}\0${sha256(readFileSync(name))}\n`);
    }
  }
  return `sha256:${hash.digest("hex")}`;
}

/**
 * Within which the float part of a build comes out the same: ONNX Runtime's kernels are chosen by the instruction set, so
 * calibration may differ in the last bit on a CPU that has others.
 */
function numericsOf(installed: ReadonlyMap<string, string>): string {
  return `onnxruntime ${installed.get("onnxruntime-node") ?? "none"} on ${process.arch}, ${vectorUnit()}`;
}

/** From most to least; Linux alone tells. Elsewhere the CPU's model stands for it. */
const VECTOR_UNITS = ["amx_int8", "avx512_vnni", "avx512f", "avx_vnni", "avx2", "avx", "sse4_2", "asimddp", "asimd"];

function vectorUnit(): string {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    const flags = new Set(line?.[1].split(/\s+/));
    const unit = VECTOR_UNITS.find((one) => flags.has(one));
    if (unit !== undefined) return unit;
  } catch {
    // No such file on this system.
  }
  return cpus()[0]?.model.trim() ?? "an unknown CPU";
}
