/** What a training needs to go on, as bytes: weights, their average, the optimizer's state and the next step's number. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { bug, CompileError } from "../error.ts";
import type { Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import type { Weights } from "./step.ts";

/**
 * The file: 8 bytes of magic, the header's length (uint32), the header (JSON), every tensor's float32 numbers one after the
 * other, and the sha256 of all that. Little-endian.
 */
export interface Checkpoint {
  /** Names the training: model, data and settings. Another training's checkpoint is refused. */
  readonly task: string;
  /** The step to go on with. */
  readonly step: number;
  readonly weights: Weights;
  readonly average?: Weights;
  readonly optimizer: ReadonlyMap<string, Float32Array>;
}

const MAGIC = Buffer.from("OPTTRAIN");
const PREFIX = MAGIC.length + 4;
const DIGEST = 32;
/** As much as is read in one piece. */
const MAX_BYTES = 2 ** 31 - 1;
const GROUPS = ["weights", "average", "optimizer"] as const;

const header = z.strictObject({
  version: z.literal(1),
  task: z.string().max(1024),
  step: z.int().min(0),
  average: z.boolean(),
  tensors: z.array(
    z.strictObject({
      group: z.enum(GROUPS),
      name: z.string().max(65_536),
      shape: z.array(z.int().min(0).max(MAX_BYTES)).max(64),
    }),
  ),
});
type Entry = z.infer<typeof header>["tensors"][number];

/**
 * The bytes, in chunks. Throws model/diverged where a number is not finite (nothing could go on from there), and
 * usage/checkpoint where there is more than a file can hold.
 */
export function encodeCheckpoint({ task, step, weights, average, optimizer }: Checkpoint): Uint8Array[] {
  const tensors: Entry[] = [];
  const payload: Uint8Array[] = [];
  const put = (group: Entry["group"], name: string, shape: readonly number[], values: Float32Array): void => {
    if (!values.every(Number.isFinite)) throw divergedIn(step, name);
    tensors.push({ group, name, shape: [...shape] });
    payload.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  const putAll = (group: Entry["group"], all: Weights): void => {
    for (const [name, tensor] of all) put(group, name, tensor.shape, floatsOf(tensor));
  };
  putAll("weights", weights);
  if (average) putAll("average", average);
  for (const [name, values] of optimizer) put("optimizer", name, [values.length], values);
  const text = Buffer.from(JSON.stringify({ version: 1, task, step, average: average !== undefined, tensors }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const chunks = [MAGIC, length, text, ...payload];
  const total = chunks.reduce((sum, { byteLength }) => sum + byteLength, DIGEST);
  if (total > MAX_BYTES) {
    throw new CompileError("usage/checkpoint", `a checkpoint of ${total} bytes; ${MAX_BYTES} are possible`);
  }
  const digest = createHash("sha256");
  for (const chunk of chunks) digest.update(chunk);
  return [...chunks, digest.digest()];
}

function floatsOf(tensor: Tensor): Float32Array {
  const values = valuesOf(tensor);
  return values instanceof Float32Array ? values : bug(`a weight of ${tensor.dtype} in a checkpoint`);
}

function divergedIn(step: number, name: string): CompileError {
  return new CompileError("model/diverged", `the training diverged before step ${step}: not all numbers are finite`, {
    where: `step ${step}, weight ${name}`,
    remedy: "lower the learning rate, warm up longer, or clip the gradients",
  });
}

/**
 * Reads a checkpoint that may be torn, damaged or made by somebody else. Throws usage/checkpoint where it is not whole or not
 * what `encodeCheckpoint` writes; `where` names the file.
 */
export function decodeCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrong = (message: string): CompileError =>
    new CompileError("usage/checkpoint", message, { where, remedy: "go on from the checkpoint before it" });
  if (file.length < PREFIX + DIGEST || !file.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw wrong("this is not a checkpoint");
  }
  const body = file.subarray(0, -DIGEST);
  if (!createHash("sha256").update(body).digest().equals(file.subarray(-DIGEST))) {
    throw wrong("the checkpoint is damaged or not whole");
  }
  const start = PREFIX + file.readUInt32LE(MAGIC.length);
  if (start > body.length) throw wrong("the checkpoint's header is longer than the file");
  const parsed = header.safeParse(parseJson(body.toString("utf8", PREFIX, start)));
  if (!parsed.success) throw wrong("the checkpoint's header is not one");
  const groups = new Map<Entry["group"], Map<string, Tensor>>(GROUPS.map((group) => [group, new Map()]));
  let at = start;
  for (const { group, name, shape } of parsed.data.tensors) {
    const size = 4 * shape.reduce((product, each) => product * each, 1);
    if (!(size <= body.length - at)) throw wrong(`the checkpoint ends within ${JSON.stringify(name)}`);
    const data = new Float32Array(size / 4);
    new Uint8Array(data.buffer).set(body.subarray(at, at + size));
    at += size;
    if (!data.every(Number.isFinite)) throw wrong(`${JSON.stringify(name)} holds what is not a finite number`);
    const into = groups.get(group) ?? bug(`no group ${group}`);
    if (into.has(name)) throw wrong(`the checkpoint has ${JSON.stringify(name)} twice`);
    into.set(name, { dtype: "float32", shape, data });
  }
  if (at !== body.length) throw wrong("something follows the checkpoint's last number");
  const of = (group: Entry["group"]): Map<string, Tensor> => groups.get(group) ?? bug(`no group ${group}`);
  const { task, step, average } = parsed.data;
  const optimizer = new Map([...of("optimizer")].map(([name, tensor]) => [name, floatsOf(tensor)]));
  return { task, step, weights: of("weights"), optimizer, ...(average && { average: of("average") }) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
