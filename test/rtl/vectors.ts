/** A program of one layer as the test bench reads it: the DRAM's bytes, copies, and the array's commands as words. */
import { readFileSync } from "node:fs";
import type {
  Command,
  ConvCommand,
  MatMulCommand,
  Operand,
  Post,
  Program,
  WeightOperand,
} from "../../src/schedule/program.ts";

const BYTES = { int8: 1, uint8: 1, int16: 2, int32: 4 } as Readonly<Record<string, number>>;

/** Names of a command's words, in the order of the structure in types.sv. */
const FIELDS = [...readFileSync(new URL("types.sv", import.meta.url), "utf8").matchAll(/^ {4}word ([^;]+);/gm)].flatMap(
  ([, names]) => names.split(",").map((name) => name.trim()),
);

type Words = Readonly<Record<string, number>>;

/** Bytes from one element to the next on each axis. */
function steps(operand: WeightOperand): number[] {
  if (operand.space !== "sram") throw new Error("the array reads and writes SRAM only");
  const bytes = BYTES[operand.dtype];
  if (bytes === undefined) throw new Error(`the test bench has no ${operand.dtype}`);
  return operand.strides.map((stride) => stride * bytes);
}

/** One constant for all channels, or one each. */
function perChannel(name: string, operand: Operand | undefined): Words {
  if (operand === undefined) return { [`${name}_address`]: 0, [`${name}_step`]: 0 };
  const [step] = steps(operand);
  return { [`${name}_address`]: operand.address, [`${name}_step`]: operand.shape[0] === 1 ? 0 : step };
}

function postWords(post: Post, bias: Operand | undefined): Words {
  if (post.round !== "tosa-single") throw new Error(`the array rounds as tosa-single, not as ${post.round}`);
  const { table } = post;
  return {
    has_bias: bias === undefined ? 0 : 1,
    ...perChannel("bias", bias),
    ...perChannel("multiplier", post.multiplier),
    ...perChannel("shift", post.shift),
    has_table: table === undefined ? 0 : 1,
    table_address: table?.knots.address ?? 0,
    ...perChannel("table_multiplier", table?.multiplier),
    ...perChannel("table_shift", table?.shift),
    y_zero: post.yZero,
    y_min: post.yMin,
    y_max: post.yMax,
  };
}

function convWords(command: ConvCommand, rows: number): Words {
  const { x, w, y, strides, pads, dilations, block, mapping } = command;
  const toeplitz = mapping === "toeplitz";
  const outputs = w.shape[0] / command.groups;
  const [xs, ws, ys] = [steps(x), steps(w), steps(y)];
  const reach = (Math.min(block, y.shape[3]) - 1) * strides[1] + (w.shape[3] - 1) * dilations[1] + 1;
  return {
    toeplitz: toeplitz ? 1 : 0,
    groups: command.groups,
    columns: toeplitz ? block : outputs,
    batch: y.shape[0],
    height: y.shape[2],
    width: y.shape[3],
    inputs: w.shape[1],
    kernel_y: w.shape[2],
    kernel_x: toeplitz ? reach : w.shape[3],
    taps_x: w.shape[3],
    stride_y: strides[0],
    stride_x: strides[1],
    pad_y: pads[0],
    pad_x: pads[1],
    dilation_y: dilations[0],
    dilation_x: dilations[1],
    port_bytes: toeplitz ? 0 : rows * strides[1] * BYTES[x.dtype],
    x_height: x.shape[2],
    x_width: x.shape[3],
    x_zero: command.xZero,
    x_address: x.address,
    x_group: w.shape[1] * xs[1],
    x_batch: xs[0],
    x_channel: xs[1],
    x_row: xs[2],
    x_column: xs[3],
    x_wide: BYTES[x.dtype] - 1,
    x_unsigned: 0,
    w_zero: 0,
    w_address: w.address,
    w_group: outputs * ws[0],
    w_output: ws[0],
    w_channel: ws[1],
    w_row: ws[2],
    w_column: ws[3],
    y_wide: BYTES[y.dtype] - 1,
    y_address: y.address,
    y_group: outputs * ys[1],
    y_batch: ys[0],
    y_channel: ys[1],
    y_row: ys[2],
    y_column: ys[3],
    post_group: outputs,
    ...postWords(command.post, command.bias),
    divides: 0,
  };
}

/** Batch axes along which b changes are products of their own, one axis at most; others lie on the rows too. */
function matMulWords(command: MatMulCommand, rows: number): Words {
  const { a, b, y } = command;
  const [as, bs, ys] = [steps(a), steps(b), steps(y)];
  const rank = y.shape.length;
  const batch = [...y.shape.keys()].slice(0, rank - 2).filter((axis) => y.shape[axis] > 1);
  const own = batch.filter((axis) => bs[axis] !== 0);
  const shared = batch.filter((axis) => bs[axis] === 0);
  if (own.length > 1 || shared.length > 1) throw new Error("more batch axes than the sequencer counts");
  const [group, image] = [own[0] ?? -1, shared[0] ?? -1];
  const [m, k, n] = [y.shape[rank - 2], a.shape[rank - 1], y.shape[rank - 1]];
  return {
    toeplitz: 0,
    groups: y.shape[group] ?? 1,
    columns: n,
    batch: y.shape[image] ?? 1,
    height: 1,
    width: m,
    inputs: k,
    kernel_y: 1,
    kernel_x: 1,
    taps_x: 1,
    stride_y: 1,
    stride_x: 1,
    pad_y: 0,
    pad_x: 0,
    dilation_y: 1,
    dilation_x: 1,
    port_bytes: rows * BYTES[a.dtype],
    x_height: 1,
    x_width: m,
    x_zero: command.aZero,
    x_address: a.address,
    x_group: as[group] ?? 0,
    x_batch: as[image] ?? 0,
    x_channel: as[rank - 1],
    x_row: 0,
    x_column: as[rank - 2],
    x_wide: BYTES[a.dtype] - 1,
    x_unsigned: a.dtype === "uint8" ? 1 : 0,
    w_zero: command.bZero,
    w_address: b.address,
    w_group: bs[group] ?? 0,
    w_output: bs[rank - 1],
    w_channel: bs[rank - 2],
    w_row: 0,
    w_column: 0,
    y_wide: BYTES[y.dtype] - 1,
    y_address: y.address,
    y_group: ys[group] ?? 0,
    y_batch: ys[image] ?? 0,
    y_channel: ys[rank - 1],
    y_row: 0,
    y_column: ys[rank - 2],
    post_group: 0,
    ...postWords(command.post, command.bias),
    divides: command.normalise ? 1 : 0,
  };
}

function arrayWords(command: Command, rows: number): number[] {
  if (command.kind !== "conv" && command.kind !== "matmul") throw new Error(`the array has no ${command.kind}`);
  const words = command.kind === "conv" ? convWords(command, rows) : matMulWords(command, rows);
  return FIELDS.map((name) => {
    if (words[name] === undefined) throw new Error(`no word ${name}`);
    return words[name];
  });
}

/** Where a command that computes nothing takes bytes from, and where it puts them. */
function copyOf(command: Command): { readonly from: Operand; readonly to: Operand } {
  if (command.kind === "dma-read" || command.kind === "dma-write") return command;
  if (command.kind === "move" && command.x.dtype === command.y.dtype) return { from: command.x, to: command.y };
  throw new Error(`${command.kind} is no copy`);
}

function copyWords(command: Command): number[] {
  const { from, to } = copyOf(command);
  const size = BYTES[from.dtype];
  const place = ({ space, address, strides }: Operand) => [
    space === "sram" ? 1 : 0,
    address,
    ...strides.map((stride) => stride * size),
  ];
  return [size, from.shape.length, ...from.shape, ...place(from), ...place(to)];
}

/** A program's bytes for the bench. `settles`: commands that begin when the array has drained. */
export function vectorOf(program: Program, dram: Uint8Array, settles: ReadonlySet<number>, rows: number): Uint8Array {
  const [{ commands, outputs }] = program.entries;
  const words: number[] = [];
  let count = 0;
  for (const [id, command] of commands.entries()) {
    if (command.kind === "stop") continue;
    const array = command.engine === "array";
    words.push(array ? 1 : 0, settles.has(id) ? 1 : 0, ...(array ? arrayWords(command, rows) : copyWords(command)));
    count++;
  }
  const [{ address, shape, dtype }] = outputs;
  words.push(
    address,
    shape.reduce((product, size) => product * size, BYTES[dtype]),
  );
  const padded = new Uint8Array(Math.ceil(dram.length / 4) * 4);
  padded.set(dram);
  const head = Int32Array.of(dram.length);
  const body = Int32Array.from([count, ...words]);
  return Buffer.concat([Buffer.from(head.buffer), padded, Buffer.from(body.buffer)]);
}
