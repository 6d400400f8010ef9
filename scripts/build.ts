/**
 * Builds dist/ and the WebAssembly kernels.
 *
 *   node scripts/build.ts             everything; exits non-zero on a type error
 *   node scripts/build.ts --wasm-only the kernels.wasm next to their sources, only when a source is newer
 *   node scripts/build.ts --prepare   as the first, but a type error is reported without failing the
 *                                     install (`npm run types` is the check that fails on it)
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const wasmOnly = process.argv.includes("--wasm-only");
const prepare = process.argv.includes("--prepare");

/** Memory that is given, and that threads may share: 65,536 pages are all that 32 bits can address. */
const SHARED = ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"];

/** Folders with AssemblyScript sources in assembly/, built to kernels.wasm beside it, and what the compiler is told beside. */
const KERNELS: ReadonlyMap<string, readonly string[]> = new Map([
  ["src/emulate/kernels", []],
  ["src/quant/kernels", []],
  ["src/train/kernels", ["--enable", "threads", ...SHARED]],
]);

/** Runs a JavaScript tool of a dev dependency with this very Node, and returns its exit status. */
function runTool(script: string, args: string[]): number {
  const done = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: "inherit" });
  if (done.error) throw done.error;
  return done.status ?? 1;
}

function packageFile(name: string, file: string): string {
  return join(dirname(require.resolve(`${name}/package.json`)), file);
}

function kernelsAreFresh(folder: string): boolean {
  const output = join(root, folder, "kernels.wasm");
  const assembly = join(folder, "assembly");
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  const sources = readdirSync(join(root, assembly), { recursive: true, encoding: "utf8" });
  const inputs = [...sources.map((name) => join(root, assembly, name)), import.meta.filename];
  return inputs.every((path) => statSync(path).mtimeMs <= built);
}

function buildKernels(folder: string, more: readonly string[]): void {
  const kernels = `${folder}/kernels.wasm`;
  const assembly = `${folder}/assembly`;
  if (!existsSync(join(root, assembly, "index.ts")) || kernelsAreFresh(folder)) return;
  // Written under another name first, so that a test running meanwhile never reads half a module.
  const temporary = `${kernels}.${process.pid}.tmp`;
  // No relaxed SIMD: its results may differ between machines, and emulation must be bit-exact.
  // `abort=` drops the only import but a given memory, so the module instantiates without functions of ours.
  const status = runTool(packageFile("assemblyscript", "bin/asc.js"), [
    `${assembly}/index.ts`,
    ...["--outFile", temporary],
    ...["--runtime", "stub", "--enable", "simd", "--optimizeLevel", "3", "--shrinkLevel", "0", "--noAssert"],
    ...["--use", "abort=", ...more],
  ]);
  if (status !== 0) {
    rmSync(join(root, temporary), { force: true });
    process.exit(status);
  }
  renameSync(join(root, temporary), join(root, kernels));
}

function buildDist(): number {
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const status = runTool(packageFile("typescript", "bin/tsc"), ["-p", "tsconfig.json"]);
  for (const folder of KERNELS.keys()) {
    const kernels = join(folder, "kernels.wasm");
    if (!existsSync(join(root, kernels))) continue;
    const target = join(root, "dist", kernels);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(root, kernels), target);
  }
  // `npx optimus-compile` in the repository runs this file through a link, so it must be executable.
  const main = join(root, "dist/src/cli/main.js");
  if (existsSync(main)) chmodSync(main, 0o755);
  return status;
}

for (const [folder, more] of KERNELS) buildKernels(folder, more);
if (!wasmOnly) {
  const status = buildDist();
  if (status !== 0) {
    console.error(`tsc exited with ${status}${prepare ? "; `npm run types` fails on this" : ""}`);
    if (!prepare) process.exit(status);
  }
}
