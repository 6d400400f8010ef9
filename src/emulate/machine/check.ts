/**
 * Everything about a Program that could make its execution leave its memories, checked before the first command runs: the
 * kernels then need no bounds. Throws trust/bad-program.
 */
import { CompileError } from "../../error.ts";
import type { Command, Entry, Operand, Port, Post, Program, Storage, WeightOperand } from "../../schedule/program.ts";
import { ELEMENT_BYTES, sizeOf } from "./memory.ts";
import { CONV_AXES, DECONV_AXES, matMulAxes, packedBytes, pairedBytes, type WeightAxes } from "./packed.ts";

/** Far beyond any real chip; keeps a false size from taking the host's memory. */
const MAX_SRAM_BYTES = 2 ** 31;
const MAX_NPUS = 256;
const MAX_ELEMENTS = 2 ** 40;

function fail(where: string, message: string): never {
  throw new CompileError("trust/bad-program", `the program is damaged: ${message}`, {
    where,
    remedy: "get the artifact again from where it was built",
  });
}

type Context = {
  readonly program: Program;
  readonly where: string;
  readonly npus: readonly number[];
  readonly used: number[];
};

/** The byte range of a view; checks rank, alignment and bounds. */
function extent(operand: Operand, { program, where, npus, used }: Context): { low: number; high: number } {
  const size = ELEMENT_BYTES[operand.dtype];
  if (operand.address % size !== 0) fail(where, `address ${operand.address} is not aligned to ${size} bytes`);
  if (operand.shape.some((length) => length < 1)) fail(where, "an operand has an empty axis");
  if (operand.shape.reduce((product, length) => product * length, 1) > MAX_ELEMENTS)
    fail(where, "an operand is too large");
  let [low, high] = [0, 0];
  operand.shape.forEach((length, axis) => {
    const reach = (length - 1) * operand.strides[axis];
    if (reach < 0) low += reach;
    else high += reach;
  });
  const range = { low: operand.address + low * size, high: operand.address + (high + 1) * size };
  const limit = operand.space === "sram" ? program.sramBytes : program.dramBytes;
  if (!(range.low >= 0 && range.high <= limit))
    fail(where, `bytes ${range.low}…${range.high} of ${limit} in ${operand.space}`);
  if (operand.space === "sram") for (const npu of npus) used[npu] = Math.max(used[npu], range.high);
  return range;
}

function checkRead(operand: Operand, context: Context, spaces: readonly string[], types?: readonly Storage[]): void {
  extent(operand, context);
  if (!spaces.includes(operand.space)) fail(context.where, `an operand lies in ${operand.space}`);
  if (types && !types.includes(operand.dtype)) fail(context.where, `an operand is ${operand.dtype}`);
}

/** A result: no two of its elements may share bytes, and weights are never written. */
function checkWrite(operand: Operand, context: Context, spaces: readonly string[], types?: readonly Storage[]): void {
  checkRead(operand, context, spaces, types);
  const axes = [...operand.shape.keys()].filter((axis) => operand.shape[axis] > 1);
  axes.sort((a, b) => Math.abs(operand.strides[a]) - Math.abs(operand.strides[b]));
  let reach = 0;
  for (const axis of axes) {
    const stride = Math.abs(operand.strides[axis]);
    if (stride <= reach) fail(context.where, "elements of a result overlap");
    reach += stride * (operand.shape[axis] - 1);
  }
  const weights = context.program.weights.byteLength;
  if (operand.space === "dram" && extent(operand, context).low < weights)
    fail(context.where, "it writes into the weights");
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

const SRAM = ["sram"];
const DRAM = ["dram"];
const CODES: readonly Storage[] = ["int8", "uint8", "int16", "int32"];
const ACTIVATIONS: readonly Storage[] = ["int8", "int16"];
const STORED: readonly Storage[] = ["int8", "uint8", "int16"];
const CONSTANTS: readonly Storage[] = ["int8", "uint8", "int16", "int32", "float32"];

/** One multiplier and shift for all channels, or as many as there are. */
function checkScale(
  { multiplier, shift }: Pick<Post, "multiplier" | "shift">,
  channels: number,
  context: Context,
  types: readonly Storage[],
): void {
  const { where } = context;
  checkRead(multiplier, context, SRAM, types);
  checkRead(shift, context, SRAM, types);
  const count = sizeOf(multiplier.shape);
  if (count !== 1 && count < channels) fail(where, `${count} multipliers for ${channels} channels`);
  const shifts = sizeOf(shift.shape);
  if (shifts !== 1 && shifts < count) fail(where, `${shifts} shifts for ${count} multipliers`);
}

/** Multipliers, shifts and table of a stage with this many channels. */
function checkPost(post: Post, channels: number, context: Context): void {
  const { where } = context;
  checkScale(post, channels, context, CONSTANTS);
  if (post.table) {
    const { knots } = post.table;
    checkRead(knots, context, SRAM, ["int16"]);
    if (sizeOf(knots.shape) !== 513) fail(where, "a post table has not 513 entries");
    checkScale(post.table, channels, context, ["int32"]);
  }
}

function checkBias(bias: Operand | undefined, channels: number, context: Context): void {
  if (bias === undefined) return;
  checkRead(bias, context, SRAM, ["int32"]);
  const count = sizeOf(bias.shape);
  if (count !== 1 && count !== channels) fail(context.where, `${count} biases for ${channels} channels`);
}

/** Weights of 8 bits, or of 4 with as many multipliers as they have blocks, which the array alone unpacks. */
function checkWeights(
  weights: WeightOperand,
  axes: WeightAxes,
  { engine, multipliers }: Extract<Command, { kind: "conv" | "deconv" | "matmul" }>,
  context: Context,
): void {
  const { where } = context;
  const { dtype } = weights;
  if (dtype !== "int4") {
    checkRead({ ...weights, dtype }, context, SRAM, ["int8"]);
    if (multipliers) fail(where, "weights of 8 bits have multipliers");
    return;
  }
  const block = multipliers?.block ?? 1;
  const rows = block >= 1 ? packedBytes(weights, axes, block) : undefined;
  const paired = rows || multipliers || axes.reduction.length > 1 ? undefined : pairedBytes(weights);
  if (paired) {
    checkRead(paired, context, SRAM);
    if (engine !== "array") fail(where, `codes of 4 bits on the ${engine} engine`);
    return;
  }
  if (rows === undefined) fail(where, "weights of 4 bits do not lie in rows");
  if (engine !== "array") fail(where, `weights of 4 bits on the ${engine} engine`);
  checkRead(rows.bytes, context, SRAM);
  if (multipliers === undefined) return;
  checkRead(multipliers.values, context, SRAM, ["uint8"]);
  const count = sizeOf(multipliers.values.shape);
  if (count !== rows.multipliers) fail(where, `${count} multipliers for ${rows.multipliers} blocks`);
}

function positive(values: readonly number[], context: Context): void {
  if (values.some((value) => value < 1 || value > 2 ** 20))
    fail(context.where, "a stride, dilation, kernel or group is not sane");
}

function rank(operand: WeightOperand, axes: number, context: Context): void {
  if (operand.shape.length !== axes)
    fail(context.where, `an operand has ${operand.shape.length} axes instead of ${axes}`);
}

function checkCommand(command: Command, context: Context): void {
  const { where, npus } = context;
  if (npus.length === 0 || npus.some((npu, at) => npu >= context.program.npus || (at > 0 && npu <= npus[at - 1])))
    fail(where, `there are no NPUs ${npus.join(",")}`);
  if (command.npu >= context.program.npus) fail(where, `there is no NPU ${command.npu}`);
  switch (command.kind) {
    case "stop":
      return;
    case "dma-read":
    case "dma-write": {
      const reads = command.kind === "dma-read";
      checkRead(command.from, context, reads ? DRAM : SRAM);
      checkWrite(command.to, context, reads ? SRAM : DRAM);
      if (command.from.dtype !== command.to.dtype) fail(where, "a copy changes the type");
      if (!same(command.from.shape, command.to.shape)) fail(where, "a copy changes the shape");
      return;
    }
    case "conv": {
      const { x, w, y, groups } = command;
      for (const operand of [x, w, y]) rank(operand, 4, context);
      checkRead(x, context, SRAM, ACTIVATIONS);
      checkWeights(w, CONV_AXES, command, context);
      checkWrite(y, context, SRAM, STORED);
      positive([groups, ...command.strides, ...command.dilations], context);
      const fits = x.shape[0] === y.shape[0] && w.shape[0] === y.shape[1] && x.shape[1] === w.shape[1] * groups;
      if (!fits || w.shape[0] % groups !== 0) fail(where, "the shapes of a convolution do not go together");
      checkBias(command.bias, y.shape[1], context);
      checkPost(command.post, y.shape[1], context);
      return;
    }
    case "deconv": {
      const { x, w, y, groups } = command;
      for (const operand of [x, w, y]) rank(operand, 4, context);
      checkRead(x, context, SRAM, ACTIVATIONS);
      checkWeights(w, DECONV_AXES, command, context);
      checkWrite(y, context, SRAM, STORED);
      positive([groups, ...command.strides, ...command.dilations], context);
      const fits = x.shape[0] === y.shape[0] && x.shape[1] === w.shape[0] && y.shape[1] === w.shape[1] * groups;
      if (!fits || x.shape[1] % groups !== 0) fail(where, "the shapes of a convolution do not go together");
      checkBias(command.bias, y.shape[1], context);
      checkPost(command.post, y.shape[1], context);
      return;
    }
    case "matmul": {
      const { a, b, y } = command;
      const axes = y.shape.length;
      if (axes < 2) fail(where, "a matrix has two axes");
      checkRead(a, context, SRAM, STORED);
      if (b.shape.length < 2) fail(where, "a matrix has two axes");
      checkWeights(b, matMulAxes(b.shape.length), command, context);
      checkWrite(y, context, SRAM, STORED);
      const batch = y.shape.slice(0, -2);
      const [rows, columns] = y.shape.slice(-2);
      const depth = a.shape[a.shape.length - 1];
      if (!same(a.shape, [...batch, rows, depth]) || !same(b.shape, [...batch, depth, columns])) {
        fail(where, "the shapes of a matrix product do not go together");
      }
      checkBias(command.bias, columns, context);
      checkPost(command.post, columns, context);
      return;
    }
    case "eltwise": {
      const { a, b, y, post, operation } = command;
      for (const operand of [a, b]) checkRead(operand, context, SRAM, CODES);
      checkWrite(y, context, SRAM, CODES);
      if (!same(a.shape, y.shape) || !same(b.shape, y.shape)) fail(where, "shapes differ");
      if ((post !== undefined) !== (operation === "add" || operation === "mul"))
        fail(where, "a post stage is missing or too many");
      if (post) checkPost(post, 1, context);
      return;
    }
    case "scale":
      checkRead(command.x, context, SRAM, CODES);
      checkWrite(command.y, context, SRAM, STORED);
      if (!same(command.x.shape, command.y.shape)) fail(where, "shapes differ");
      checkPost(command.post, 1, context);
      return;
    case "table":
      checkRead(command.x, context, SRAM, ACTIVATIONS);
      checkRead(command.table, context, SRAM, ACTIVATIONS);
      checkWrite(command.y, context, SRAM, ACTIVATIONS);
      if (!same(command.x.shape, command.y.shape)) fail(where, "shapes differ");
      if (sizeOf(command.table.shape) !== (command.x.dtype === "int8" ? 256 : 513))
        fail(where, "a table has a wrong length");
      return;
    case "pool": {
      const { x, y, post } = command;
      for (const operand of [x, y]) rank(operand, 4, context);
      checkRead(x, context, SRAM, ACTIVATIONS);
      checkWrite(y, context, SRAM, STORED);
      positive([...command.kernel, ...command.strides, ...command.dilations], context);
      if (x.shape[0] !== y.shape[0] || x.shape[1] !== y.shape[1])
        fail(where, "the shapes of a pooling do not go together");
      if ((post !== undefined) !== (command.operation === "average"))
        fail(where, "a post stage is missing or too many");
      if (post) checkPost(post, command.kernel[0] * command.kernel[1], context);
      return;
    }
    case "reduce": {
      const { x, y, post } = command;
      checkRead(x, context, SRAM, CODES);
      checkWrite(y, context, SRAM, CODES);
      if (!same(x.shape.slice(0, y.shape.length), y.shape)) fail(where, "the shapes of a reduction do not go together");
      const { operation, xZero } = command;
      if (operation === "l2") {
        const half = x.dtype === "int8" ? 128 : x.dtype === "int16" ? 32_768 : Number.POSITIVE_INFINITY;
        const reach = Math.max(xZero + half, half - 1 - xZero);
        const count = sizeOf(x.shape) / sizeOf(y.shape);
        if (!(count * reach * reach < 2 ** 32)) fail(where, "a sum of squares can leave its 32 bits");
      }
      if (operation === "margin" || operation === "ctc-margin") {
        if (x.dtype === "int32" || y.dtype !== "int16" || sizeOf(x.shape) < 2 * sizeOf(y.shape))
          fail(where, "a margin is an int16 of two codes or more");
      }
      if ((post !== undefined) !== (operation === "sum" || operation === "l2"))
        fail(where, "a post stage is missing or too many");
      if (post) checkPost(post, 1, context);
      return;
    }
    case "softmax":
      checkRead(command.x, context, SRAM, ACTIVATIONS);
      checkRead(command.table, context, SRAM, ["int32"]);
      checkWrite(command.y, context, SRAM, STORED);
      if (!same(command.x.shape, command.y.shape) || command.x.shape.length < 1) fail(where, "shapes differ");
      if (sizeOf(command.table.shape) !== (command.x.dtype === "int8" ? 256 : 512))
        fail(where, "a table has a wrong length");
      return;
    case "norm": {
      const { x, y, axes } = command;
      checkRead(x, context, SRAM, ACTIVATIONS);
      checkRead(command.gamma, context, SRAM, CODES);
      checkRead(command.beta, context, SRAM, CODES);
      checkWrite(y, context, SRAM, STORED);
      if (!same(x.shape, y.shape) || axes < 1 || axes > x.shape.length) fail(where, "shapes differ");
      if (command.epsilon < 1) fail(where, "an epsilon is below 1");
      const size = sizeOf(x.shape.slice(x.shape.length - axes));
      for (const { shape } of [command.gamma, command.beta]) {
        if (sizeOf(shape) !== 1 && sizeOf(shape) !== size) fail(where, "a normalisation has a wrong number of weights");
      }
      checkPost(command.post, 1, context);
      return;
    }
    case "move":
      checkRead(command.x, context, SRAM);
      checkWrite(command.y, context, SRAM);
      if (!same(command.x.shape, command.y.shape)) fail(where, "shapes differ");
      if (
        command.x.dtype !== command.y.dtype &&
        !(CODES.includes(command.x.dtype) && CODES.includes(command.y.dtype))
      ) {
        fail(where, `a move from ${command.x.dtype} to ${command.y.dtype}`);
      }
      return;
    case "pack":
    case "unpack": {
      const [codes, bytes] = command.kind === "pack" ? [command.x, command.y] : [command.y, command.x];
      checkRead(command.x, context, SRAM);
      checkWrite(command.y, context, SRAM);
      const last = bytes.shape.length - 1;
      const halved = codes.shape.map((size, axis) => (axis === last ? size / 2 : size));
      if (last < 0 || codes.dtype !== "int8" || bytes.dtype !== "uint8" || !same(halved, bytes.shape))
        fail(where, "codes of 4 bits and their bytes do not go together");
      return;
    }
    case "fill":
      checkWrite(command.y, context, SRAM, CODES);
      return;
    case "gather": {
      const { x, indices, y } = command;
      for (const operand of [x, y]) rank(operand, 3, context);
      rank(indices, 1, context);
      checkRead(x, context, ["sram", "dram"]);
      checkRead(indices, context, SRAM, ["int32", "int64"]);
      checkWrite(y, context, SRAM);
      const fits = y.shape[0] === x.shape[0] && y.shape[1] === indices.shape[0] && y.shape[2] === x.shape[2];
      if (!fits || x.dtype !== y.dtype) fail(where, "the shapes of a gather do not go together");
      return;
    }
    case "scatter": {
      const { x, indices, y } = command;
      for (const operand of [x, y]) rank(operand, 4, context);
      rank(indices, 1, context);
      checkRead(x, context, SRAM);
      checkRead(indices, context, SRAM, ["int32", "int64"]);
      checkWrite(y, context, ["sram", "dram"]);
      const fits = [0, 1, 3].every((axis) => x.shape[axis] === y.shape[axis]) && indices.shape[0] === x.shape[0];
      if (!fits || x.shape[2] > y.shape[2] || x.dtype !== y.dtype)
        fail(where, "the shapes of a scatter do not go together");
      return;
    }
    case "cpu":
      for (const operand of command.inputs) checkRead(operand, context, DRAM);
      for (const operand of command.outputs) checkWrite(operand, context, DRAM);
      return;
  }
}

function checkPort(port: Pick<Port, "dtype" | "shape" | "address">, program: Program, where: string): void {
  const strides = port.shape.map((_, axis) => sizeOf(port.shape.slice(axis + 1)));
  checkWrite(
    { space: "dram", address: port.address, dtype: port.dtype, shape: port.shape, strides },
    { program, where, npus: [], used: [] },
    DRAM,
  );
}

function checkEntry(entry: Entry, program: Program, used: number[]): void {
  for (const port of [...entry.inputs, ...entry.outputs]) checkPort(port, program, `port ${port.name}`);
  entry.commands.forEach((command, index) => {
    const npus = (command.kind === "dma-read" ? command.npus : undefined) ?? [command.npu];
    checkCommand(command, { program, npus, used, where: `entry ${entry.name}, command ${index} (${command.kind})` });
  });
}

/** Returns, by NPU, the bytes of SRAM that the commands reach: more need not exist. */
export function checkProgram(program: Program, maxDramBytes: number): readonly number[] {
  if (program.npus < 1 || program.npus > MAX_NPUS) fail("program", `${program.npus} NPUs`);
  const used = new Array<number>(program.npus).fill(0);
  if (program.sramBytes > MAX_SRAM_BYTES) fail("program", `${program.sramBytes} bytes of SRAM`);
  if (program.dramBytes > maxDramBytes)
    fail("program", `${program.dramBytes} bytes of DRAM, ${maxDramBytes} are allowed`);
  if (program.weights.byteLength > program.dramBytes) fail("program", "the weights do not fit into the DRAM");
  for (const state of program.states) {
    checkPort(state, program, `state ${state.input}`);
    const bytes = sizeOf(state.shape) * ELEMENT_BYTES[state.dtype];
    if (state.init + bytes > program.weights.byteLength) fail(`state ${state.input}`, "its initial codes are missing");
  }
  const names = new Set(program.entries.map(({ name }) => name));
  if (names.size !== program.entries.length) fail("program", "two entries have one name");
  for (const entry of program.entries) checkEntry(entry, program, used);
  if (used.reduce((sum, bytes) => sum + bytes, 0) > MAX_SRAM_BYTES) fail("program", "too much SRAM in all NPUs");
  return used;
}
