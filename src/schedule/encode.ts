import { bug } from "../error.ts";
import type {
  Command,
  CommandKind,
  ConvMapping,
  Engine,
  Entry,
  Multipliers,
  Port,
  PortQuant,
  Post,
  PostTable,
  Program,
  Round,
  Sections,
  WeightOperand,
} from "./program.ts"; // prettier-ignore
import { Writer } from "./writer.ts";

/*
 * The bytes of a Program, little-endian, version 3. Sizes and addresses are u64 below 2^53; an integer of an operator
 * is an i64; a list is its length (u32) and its items; a string is UTF-8 behind its length (u32).
 *
 *   program  "DOPTPROG" u32 version, name, target, u32 npus, u64 sramBytes, u64 dramBytes, u64 weightBytes,
 *            list of strings (origins), states, entries {name, inputs, outputs, commands}
 *   command  u8 kind, u8 engine, u16 npu, list of u32 waits, list of u32 origins, then the kind's own fields in the
 *            order of the type in program.ts
 *   weights  the bytes themselves, loaded at DRAM address 0
 *   plan     "DOPTPLAN" u32 version, list of {name, u64 peak, u64 bound, list of {name, u8 space, u16 npu, u64 address,
 *            u64 bytes, u32 first, u32 last}}
 *
 * decode.ts reads this from its own tables, so that neither can hide the other's mistake.
 */
export const FORMAT_VERSION = 3;

const KINDS: Readonly<Record<CommandKind, number>> = {
  stop: 0,
  "dma-read": 1,
  "dma-write": 2,
  conv: 3,
  deconv: 4,
  matmul: 5,
  eltwise: 6,
  scale: 7,
  table: 8,
  pool: 9,
  reduce: 10,
  softmax: 11,
  norm: 12,
  move: 13,
  fill: 14,
  gather: 15,
  cpu: 16,
  scatter: 17,
  pack: 18,
  unpack: 19,
}; // prettier-ignore
const ENGINES: Readonly<Record<Engine, number>> = { array: 0, vector: 1, "dma-in": 2, "dma-out": 3, cpu: 4 };
const STORAGES: Readonly<Record<WeightOperand["dtype"], number>> = {
  int8: 0,
  uint8: 1,
  int16: 2,
  uint16: 3,
  int32: 4,
  uint32: 5,
  int64: 6,
  uint64: 7,
  float32: 8,
  float64: 9,
  float16: 10,
  bfloat16: 11,
  bool: 12,
  int4: 13,
}; // prettier-ignore
const ROUNDS: Readonly<Record<Round, number>> = { "tosa-single": 0, "tosa-double": 1, "ort-f32-rne": 2 };
const MAPPINGS: Readonly<Record<ConvMapping, number>> = { dense: 0, column: 1, toeplitz: 2, vector: 3 };
const ELTWISE = { add: 0, mul: 1, max: 2, min: 3 } as const;
const POOLS = { max: 0, average: 1 } as const;
const REDUCES = { sum: 0, max: 1, min: 2, l2: 3, margin: 4, "ctc-margin": 5 } as const;
const SPACES = { sram: 0, dram: 1 } as const;

function writeOperand(out: Writer, operand: WeightOperand): void {
  if (operand.shape.length !== operand.strides.length) bug("an operand has as many strides as axes");
  out.u8(SPACES[operand.space]);
  out.u8(STORAGES[operand.dtype]);
  out.u8(operand.shape.length);
  out.u64(operand.address);
  for (const dim of operand.shape) out.u32(dim);
  for (const stride of operand.strides) out.i64(stride);
}

function writeOptional<T>(out: Writer, value: T | undefined, write: (out: Writer, value: T) => void): void {
  out.u8(value === undefined ? 0 : 1);
  if (value !== undefined) write(out, value);
}

function writeMultipliers(out: Writer, { values, block }: Multipliers): void {
  writeOperand(out, values);
  out.i64(block);
}

function writeTable(out: Writer, { knots, multiplier, shift }: PostTable): void {
  for (const operand of [knots, multiplier, shift]) writeOperand(out, operand);
}

function writePost(out: Writer, post: Post): void {
  writeOperand(out, post.multiplier);
  writeOperand(out, post.shift);
  writeOptional(out, post.table, writeTable);
  out.u8(ROUNDS[post.round]);
  out.flag(post.wide);
  for (const value of [post.yZero, post.yMin, post.yMax]) out.i64(value);
}

function writeFields(out: Writer, command: Command): void {
  const operands = (...list: WeightOperand[]) => {
    for (const operand of list) writeOperand(out, operand);
  };
  const integers = (...list: number[]) => {
    for (const value of list) out.i64(value);
  };
  switch (command.kind) {
    case "dma-read":
    case "dma-write":
      operands(command.from, command.to);
      out.list(command.npus ?? [], (npu) => out.u16(npu));
      return;
    case "conv":
      operands(command.x, command.w);
      writeOptional(out, command.multipliers, writeMultipliers);
      writeOptional(out, command.bias, writeOperand);
      operands(command.y);
      integers(command.xZero, ...command.strides, ...command.pads, ...command.dilations, command.groups);
      out.u8(MAPPINGS[command.mapping]);
      integers(command.block);
      writePost(out, command.post);
      return;
    case "deconv":
      operands(command.x, command.w);
      writeOptional(out, command.multipliers, writeMultipliers);
      writeOptional(out, command.bias, writeOperand);
      operands(command.y);
      integers(command.xZero, ...command.strides, ...command.pads, ...command.dilations, command.groups);
      writePost(out, command.post);
      return;
    case "matmul":
      operands(command.a, command.b);
      writeOptional(out, command.multipliers, writeMultipliers);
      writeOptional(out, command.bias, writeOperand);
      operands(command.y);
      integers(command.aZero, command.bZero);
      out.flag(command.normalise);
      writePost(out, command.post);
      return;
    case "eltwise":
      out.u8(ELTWISE[command.operation]);
      operands(command.a, command.b, command.y);
      integers(command.aZero, command.bZero, command.aMultiplier, command.bMultiplier);
      writeOptional(out, command.post, writePost);
      return;
    case "scale":
      operands(command.x, command.y);
      integers(command.xZero);
      writePost(out, command.post);
      return;
    case "table":
      operands(command.x, command.table, command.y);
      return;
    case "pool":
      out.u8(POOLS[command.operation]);
      operands(command.x, command.y);
      integers(command.xZero, ...command.kernel, ...command.strides, ...command.pads, ...command.dilations);
      out.flag(command.countIncludePad);
      writeOptional(out, command.post, writePost);
      return;
    case "reduce":
      out.u8(REDUCES[command.operation]);
      operands(command.x, command.y);
      integers(command.xZero);
      writeOptional(out, command.post, writePost);
      return;
    case "softmax":
      operands(command.x, command.table, command.y);
      out.flag(command.normalised);
      return;
    case "norm":
      operands(command.x, command.gamma, command.beta, command.y);
      integers(command.xZero, command.axes);
      out.flag(command.center);
      integers(command.epsilon);
      writePost(out, command.post);
      return;
    case "move":
    case "pack":
    case "unpack":
      operands(command.x, command.y);
      return;
    case "fill":
      operands(command.y);
      integers(command.value);
      return;
    case "gather":
      operands(command.x, command.indices, command.y);
      return;
    case "scatter":
      operands(command.x, command.indices, command.y);
      out.flag(command.circular);
      return;
    case "cpu":
      out.text(command.text);
      out.list(command.inputs, (operand) => writeOperand(out, operand));
      out.list(command.outputs, (operand) => writeOperand(out, operand));
      return;
    case "stop":
      return;
  }
}

function writeQuant(out: Writer, quant: PortQuant): void {
  out.list(quant.scale, (scale) => out.f32(scale));
  out.list(quant.zeroPoint, (zero) => out.i64(zero));
  out.i64(quant.axis ?? -1);
}

function writeTyped(out: Writer, port: Pick<Port, "dtype" | "shape" | "quant" | "address">): void {
  out.u8(STORAGES[port.dtype]);
  out.list(port.shape, (dim) => out.u32(dim));
  writeOptional(out, port.quant, writeQuant);
  out.u64(port.address);
}

function writeEntry(out: Writer, entry: Entry, origins: ReadonlyMap<string, number>): void {
  out.text(entry.name);
  for (const ports of [entry.inputs, entry.outputs]) {
    out.list(ports, (port) => {
      out.text(port.name);
      writeTyped(out, port);
    });
  }
  out.list(entry.commands, (command) => {
    out.u8(KINDS[command.kind]);
    out.u8(ENGINES[command.engine]);
    out.u16(command.npu);
    out.list(command.waits, (wait) => out.u32(wait));
    out.list(command.origin, (name) => out.u32(origins.get(name) ?? bug(`origin ${name} has no place`)));
    writeFields(out, command);
  });
}

function originsOf(program: Program): Map<string, number> {
  const names = new Set<string>();
  for (const entry of program.entries)
    for (const command of entry.commands) for (const name of command.origin) names.add(name);
  return new Map([...names].sort().map((name, index) => [name, index]));
}

/** The sealed form: a pure function of the Program. */
export function encodeProgram(program: Program): Sections {
  const out = new Writer();
  out.ascii("DOPTPROG");
  out.u32(FORMAT_VERSION);
  out.text(program.name);
  out.text(program.target);
  out.u32(program.npus);
  out.u64(program.sramBytes);
  out.u64(program.dramBytes);
  out.u64(program.weightBytes);
  const origins = originsOf(program);
  out.list([...origins.keys()], (name) => out.text(name));
  out.list(program.states, (state) => {
    out.text(state.input);
    out.text(state.output);
    writeTyped(out, state);
    out.u64(state.init);
  });
  out.list(program.entries, (entry) => writeEntry(out, entry, origins));
  return { program: out.bytes(), weights: program.weights, plan: encodePlan(program) };
}

function encodePlan(program: Program): Uint8Array {
  const out = new Writer();
  out.ascii("DOPTPLAN");
  out.u32(FORMAT_VERSION);
  out.list(program.plan, (plan) => {
    out.text(plan.name);
    out.u64(plan.sramPeakBytes);
    out.u64(plan.sramLowerBoundBytes);
    out.list(plan.buffers, (buffer) => {
      out.text(buffer.name);
      out.u8(SPACES[buffer.space]);
      out.u16(buffer.npu);
      out.u64(buffer.address);
      out.u64(buffer.bytes);
      out.u32(buffer.first);
      out.u32(buffer.last);
    });
  });
  return out.bytes();
}
