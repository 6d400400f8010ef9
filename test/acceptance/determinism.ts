/** One recipe, one digest: for any number of workers; and from one record on other versions of Node, and another CPU. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeNpz } from "../../src/data/write-npz.ts";
import { attempt, type Outcome } from "./check.ts";
import { complaint, main, optimus, runProgram } from "./command.ts";
import { installNode } from "./node.ts";

const folder = mkdtempSync(join(tmpdir(), "determinism-"));
const artifact = join(folder, "1/quickstart.dopt");
const input = join(folder, "input.npz");
const QEMU = "qemu-x86_64-static";

export async function* determinism(): AsyncIterable<Outcome> {
  yield await attempt("one worker and two give one digest", jobs);
  if (!existsSync(artifact)) return;
  const image = Float32Array.from({ length: 4 * 784 }, (_, at) => ((at * 7919) % 256) / 255);
  writeFileSync(input, encodeNpz(new Map([["image", { dtype: "float32", shape: [4, 1, 28, 28], data: image }]])));
  yield await attempt("this Node rebuilds and emulates it", () => elsewhere("here", process.execPath, []));
  for (const version of ["22", "24"]) {
    yield await attempt(`Node ${version} rebuilds it and computes the same`, async () => {
      const node = await installNode(version, folder);
      return typeof node === "string" ? elsewhere(version, node, []) : node;
    });
  }
  const found = await runProgram("which", [QEMU]);
  if (found.code !== 0) {
    console.log(
      `note determinism: ${QEMU} is not installed (apt-get install qemu-user-static): another CPU was not tried`,
    );
    return;
  }
  const cpu = ["-cpu", "Haswell", process.execPath];
  yield await attempt("a Haswell rebuilds it and computes the same", () => elsewhere("haswell", QEMU, cpu));
}

async function jobs(): Promise<Omit<Outcome, "name">> {
  const digests: string[] = [];
  for (const count of ["1", "2"]) {
    const out = join(folder, count);
    const limit = ["--set", "data.certification.limit=500", "--set", "gates.maxDrop=0.05"];
    const finished = await optimus(
      "build",
      "recipes/quickstart.yaml",
      "--jobs",
      count,
      "--out",
      out,
      "--json",
      ...limit,
    );
    if (finished.code !== 0) return { good: false, says: complaint(finished) };
    digests.push((JSON.parse(finished.stdout) as { digest: string }).digest);
  }
  return { good: digests[0] === digests[1], says: digests.join(" and ") };
}

let reference: Buffer | undefined;

/** Rebuilds the program from the record and runs it there; the outputs are those of the first place. */
async function elsewhere(place: string, program: string, before: readonly string[]): Promise<Omit<Outcome, "name">> {
  const command = [...before, main];
  const verified = await runProgram(program, [...command, "verify", artifact, "--unsigned", "--rebuild", "--json"]);
  if (verified.code !== 0) return { good: false, says: complaint(verified) };
  const { digest } = JSON.parse(verified.stdout) as { digest: string };
  const output = join(folder, `${place}.npz`);
  const emulated = await runProgram(program, [...command, "emulate", artifact, "--input", input, "--output", output]);
  if (emulated.code !== 0) return { good: false, says: complaint(emulated) };
  const bytes = readFileSync(output);
  reference ??= bytes;
  const time = `${(verified.seconds + emulated.seconds).toFixed(0)} s`;
  return {
    good: bytes.equals(reference),
    says: `${digest}, outputs ${bytes.equals(reference) ? "equal" : "differ"}, ${time}`,
  };
}
