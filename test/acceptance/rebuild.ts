/**
 * `verify --rebuild` makes artifacts again byte for byte: from the recipe in another checkout, with one worker and two, on
 * two versions of Node; from the record on two other CPUs as well.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { attempt, type Outcome } from "./check.ts";
import { complaint, main, optimus, root, runProgram } from "./command.ts";
import { installNode } from "./node.ts";

const folder = mkdtempSync(join(tmpdir(), "rebuild-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const checkout = join(folder, "another/checkout");
const QEMU = "qemu-x86_64-static";
/** An emulated CPU is some fifty times slower, and the machine may be busy. */
const EMULATED_S = 4 * 3600;
/** The certification data takes no part in what is sealed: few samples will do. */
const MODELS: readonly (readonly [name: string, set: string])[] = [
  ["quickstart", "data.certification.limit=500"],
  ["ocr-rec", "data.certification.count=60"],
];

export async function* rebuild(): AsyncIterable<Outcome> {
  await makeCheckout();
  const other = join(checkout, main.slice(root.length));
  const nodes = new Map<string, string>();
  for (const version of ["22", "24"]) {
    const node = await installNode(version, folder);
    if (typeof node === "string") nodes.set(version, node);
    else yield { name: `Node ${version}`, ...node };
  }
  const found = await runProgram("which", [QEMU]);
  if (found.code !== 0)
    console.log(`note rebuild: no ${QEMU} (apt-get install qemu-user-static): no other CPU was tried`);
  for (const [name, set] of MODELS) {
    const artifact = join(folder, `${name}.dopt`);
    yield await attempt(`${name} is built`, () => build(name, set, artifact));
    if (!existsSync(artifact)) continue;
    const recipe = join(checkout, "recipes", `${name}.yaml`);
    for (const [version, node] of nodes) {
      for (const jobs of ["1", "2"]) {
        const from = ["--recipe", recipe, "--set", set, "--jobs", jobs];
        yield await attempt(`${name} from the recipe elsewhere, Node ${version}, ${jobs} workers`, () =>
          verify(node, [other, "verify", artifact, "--unsigned", "--rebuild", ...from], "rebuild from the recipe"),
        );
      }
    }
    for (const cpu of found.code === 0 ? ["Haswell", "Nehalem"] : []) {
      const before = ["-cpu", cpu, process.execPath, main];
      yield await attempt(`${name} from the record on a ${cpu}`, () =>
        verify(QEMU, [...before, "verify", artifact, "--unsigned", "--rebuild"], "rebuild from the record", EMULATED_S),
      );
    }
  }
}

async function build(name: string, set: string, artifact: string): Promise<Omit<Outcome, "name">> {
  const out = join(folder, "out");
  // Few samples show little: the gate is not what is tried here.
  const done = await optimus(
    "build",
    `recipes/${name}.yaml`,
    "--out",
    out,
    "--set",
    set,
    "--set",
    "gates={}",
    "--json",
  );
  const made = join(out, `${name}.dopt`);
  if (!existsSync(made)) return { good: false, says: complaint(done) };
  copyFileSync(made, artifact);
  return { good: true, says: `${done.seconds.toFixed(0)} s, ${readFileSync(artifact).length} bytes` };
}

async function verify(
  program: string,
  args: readonly string[],
  wanted: string,
  seconds?: number,
): Promise<Omit<Outcome, "name">> {
  const done = await runProgram(program, [...args, "--json"], seconds);
  if (done.code !== 0) return { good: false, says: complaint(done) };
  const { checks } = JSON.parse(done.stdout) as { checks: { name: string; says: string }[] };
  const check = checks.find(({ name }) => name === wanted);
  return { good: check !== undefined, says: `${check?.says ?? "not checked"}, ${done.seconds.toFixed(0)} s` };
}

/** The files that are under version control, and what is built from them, in another place. */
async function makeCheckout(): Promise<void> {
  const { stdout } = await runProgram("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  const kernels = ["emulate", "quant", "train"].map((part) => `src/${part}/kernels/kernels.wasm`);
  const built = ["dist", ...kernels].filter((path) => existsSync(join(root, path)));
  for (const path of [...stdout.split("\0").filter((name) => name !== ""), ...built]) {
    const [from, to] = [join(root, path), join(checkout, path)];
    if (!existsSync(from)) continue;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
}
