/**
 * A training killed at random moments, half of them while it writes a checkpoint, and resumed until it ends: the model, the metrics and the
 * last checkpoint are those of a training that nobody disturbed, byte for byte. A disk that is really full (a small tmpfs) loses
 * no checkpoint. One that diverges names the step, the layer and the last good checkpoint. `--samples` is the number of kills (20).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/ir/random.ts";
import { decodeCheckpoint } from "../../src/train/checkpoint.ts";
import { type AcceptanceCheck, attempt, type Outcome } from "./check.ts";
import { complaint, type Finished, main, optimus, root, runProgram } from "./command.ts";

const KILLS = 20;
const STEPS = 45;
const folder = mkdtempSync(join(tmpdir(), "kills-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const images = (name: string): string => join(root, "fixtures/fashion-mnist", name);
function recipe(name: string, peak: number): string {
  const path = join(folder, `${name}.yaml`);
  const lines = [
    `model: ${images("depthwise.onnx")}`,
    "weights: fresh",
    "data:",
    `  training: { reader: idx, images: ${images("train-2048-images-idx3-ubyte.gz")}, labels: ${images("train-2048-labels-idx1-ubyte.gz")}, limit: 480 }`,
    `  validation: { reader: idx, images: ${images("t10k-images-idx3-ubyte.gz")}, labels: ${images("t10k-labels-idx1-ubyte.gz")}, limit: 100 }`,
    "losses: [{ kind: labels, scores: logits }]",
    "optimizer: { kind: adamw }",
    `rate: { peak: ${peak} }`,
    "average: 0.9",
    "augment: { crop: 2, flip: true, noise: 0.01 }",
    "epochs: 3",
    "batch: 32",
    "shards: 2",
    "checkpoint: 1",
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

const train = (path: string, out: string): string[] => [main, "train", path, "--out", out, "--resume", "--json"];

/** What a training leaves: names and bytes of model, metrics and checkpoints. */
function remains(out: string): Map<string, string> {
  const names = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.(onnx|jsonl|checkpoint)$/.test(name),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(out, name)).toString("base64")]));
}

function compared(out: string, wanted: ReadonlyMap<string, string>): string[] {
  const found = remains(out);
  return [...new Set([...wanted.keys(), ...found.keys()])].filter((name) => found.get(name) !== wanted.get(name));
}

interface Killed {
  readonly kills: number;
  /** Kills that left a checkpoint half written. */
  readonly torn: number;
  readonly complaint?: string;
}

/** Kills and resumes a training until it ends by itself. `moment` gives milliseconds from the start, or a checkpoint's number. */
async function killed(
  path: string,
  out: string,
  moment: () => { after: number } | { write: number } | undefined,
): Promise<Killed> {
  const checkpoints = join(out, "killed.checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  for (let [kills, torn] = [0, 0]; ; kills++) {
    const when = moment();
    const child = spawn(process.execPath, train(path, out), { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
    });
    let left = when !== undefined && "write" in when ? when.write : Number.POSITIVE_INFINITY;
    const watcher = watch(checkpoints, (_, name) => {
      if (name?.endsWith(".tmp") && left-- <= 0) child.kill("SIGKILL");
    });
    const timer =
      when !== undefined && "after" in when ? setTimeout(() => child.kill("SIGKILL"), when.after) : undefined;
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    clearTimeout(timer);
    watcher.close();
    if (signal !== "SIGKILL")
      return { kills, torn, ...(code !== 0 && { complaint: `exit ${code}: ${said.slice(-600)}` }) };
    if (readdirSync(checkpoints).some((name) => name.endsWith(".tmp"))) torn++;
  }
}

async function undisturbed(path: string): Promise<{ readonly done: Finished; readonly files: Map<string, string> }> {
  const out = join(folder, "whole");
  const done = await runProgram(process.execPath, train(path, out));
  return { done, files: done.code === 0 ? remains(out) : new Map() };
}

/** A disk that is full after the first checkpoints: then more room, and on to the same end. */
async function fullDisk(path: string, wanted: ReadonlyMap<string, string>): Promise<Omit<Outcome, "name">> {
  const [disk, saved] = [join(folder, "disk"), join(folder, "saved")];
  mkdirSync(disk);
  mkdirSync(saved);
  const command = [process.execPath, ...train(path, disk)].map((word) => `'${word}'`).join(" ");
  const script = [
    `mount -t tmpfs -o size=800k tmpfs '${disk}' || exit 77`,
    `mkdir '${disk}/killed.checkpoints' && ${command}; echo "code $?"`,
    `cp -r '${disk}/killed.checkpoints' '${saved}/full'`,
    `mount -o remount,size=64m '${disk}' && ${command}; echo "code $?"`,
    `cp -r '${disk}' '${saved}/end'`,
  ];
  const done = await runProgram("unshare", ["--user", "--map-root-user", "--mount", "sh", "-c", script.join("\n")]);
  if (done.code === 77) return { good: true, says: "not tried: no tmpfs can be mounted here" };
  const codes = [...done.stdout.matchAll(/^code (\d+)$/gm)].map(([, code]) => Number(code));
  const kept = readdirSync(join(saved, "full")).filter((name) => name.endsWith(".checkpoint"));
  const whole = kept.filter((name) => decodeCheckpoint(readFileSync(join(saved, "full", name)), name).step > 0);
  const different = existsSync(join(saved, "end")) ? compared(join(saved, "end"), wanted) : ["everything"];
  const told = /ENOSPC/.test(done.stderr);
  const good = codes.join() === "2,0" && told && whole.length > 0 && different.length === 0;
  return {
    good,
    says: `exit ${codes.join(", then with room ")}; ${whole.length} of ${kept.length} checkpoints whole; ${different.length === 0 ? "the same bytes at the end" : `different: ${different.join(", ")}`}`,
  };
}

async function diverges(): Promise<Omit<Outcome, "name">> {
  const done = await optimus("train", recipe("diverging", 1e30), "--out", join(folder, "diverging"));
  const named = [
    /error\[model\/diverged\]/,
    /step \d+/,
    / of \S+|weight \S+/,
    /last good checkpoint is \S+step-\d{9}\.checkpoint/,
  ];
  return {
    good: done.code === 3 && named.every((each) => each.test(done.stderr)),
    says: complaint(done).slice(0, 400),
  };
}

export const kills: AcceptanceCheck = async function* ({ samples = KILLS }) {
  const path = recipe("killed", 0.01);
  const { done, files } = await undisturbed(path);
  yield {
    name: "undisturbed",
    good: done.code === 0,
    says: done.code === 0 ? `${done.seconds.toFixed(0)} s, ${files.size} files` : complaint(done),
  };
  if (done.code !== 0) return;
  const random = seededRandom("moments");
  let [left, torn, rounds] = [samples, 0, 0];
  const wrong: string[] = [];
  while (left > 0 && wrong.length === 0) {
    const out = join(folder, `killed-${rounds++}`);
    const found = await killed(path, out, () => {
      if (left-- <= 0) return undefined;
      return random() < 0.5 ? { after: random() * done.seconds * 1000 } : { write: Math.floor(random() * (STEPS / 4)) };
    });
    // The moment that the training outlived was none.
    if (left >= 0) left++;
    torn += found.torn;
    if (found.complaint) wrong.push(found.complaint);
    wrong.push(...compared(out, files));
  }
  const says = `${samples} kills in ${rounds} trainings, ${torn} within the writing of a checkpoint; ${wrong.length === 0 ? "the same bytes each time" : `different: ${wrong.join(", ")}`}`;
  yield {
    name: "killed and resumed",
    good: wrong.length === 0,
    says,
    figures: { kills: samples, trainings: rounds, torn, different: wrong.length },
  };
  yield await attempt("the disk is full", () => fullDisk(path, files));
  yield await attempt("diverges", diverges);
};
