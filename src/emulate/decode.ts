/**
 * Bytes → Program, for whoever executes, times or checks one. Shares no code with the encoder, only the type; the format
 * is written down in src/schedule/encode.ts. Hostile bytes end in `trust/bad-program`, whatever they claim.
 */
import type {
  Command,
  CommandKind,
  ConvMapping,
  Engine,
  Entry,
  EntryPlan,
  Multipliers,
  Operand,
  Port,
  PortQuant,
  Post,
  PostTable,
  Program,
  Round,
  Sections,
  Space,
  StateBuffer,
  Storage,
  WeightOperand,
} from "../schedule/program.ts";
import { Reader } from "./reader.ts";

const VERSION = 3;
const MAX_RANK = 16;

const KINDS: readonly CommandKind[] = [
  "stop",
  "dma-read",
  "dma-write",
  "conv",
  "deconv",
  "matmul",
  "eltwise",
  "scale",
  "table",
  "pool",
  "reduce",
  "softmax",
  "norm",
  "move",
  "fill",
  "gather",
  "cpu",
  "scatter",
  "pack",
  "unpack",
];
const ENGINES: readonly Engine[] = ["array", "vector", "dma-in", "dma-out", "cpu"];
const STORAGES: readonly Storage[] = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "bool",
];
/** What the weights of the array may be besides. */
const WEIGHT_TYPES: readonly WeightOperand["dtype"][] = [...STORAGES, "int4"];
const ROUNDS: readonly Round[] = ["tosa-single", "tosa-double", "ort-f32-rne"];
const MAPPINGS: readonly ConvMapping[] = ["dense", "column", "toeplitz", "vector"];
const SPACES: readonly Space[] = ["sram", "dram"];

type Pair = [number, number];
type Four = [number, number, number, number];

function readOperand(from: Reader): Operand {
  return readView(from, STORAGES);
}

function readView<T extends WeightOperand["dtype"]>(
  from: Reader,
  types: readonly T[],
): Omit<Operand, "dtype"> & { dtype: T } {
  const space = from.choice(SPACES, "memory");
  const dtype = from.choice(types, "type");
  const rank = from.u8();
  if (rank > MAX_RANK) from.fail(`an operand has ${rank} axes`);
  const address = from.u64();
  const shape = Array.from({ length: rank }, () => from.u32());
  const strides = Array.from({ length: rank }, () => from.i64());
  return { space, address, dtype, shape, strides };
}

/** The weights of the array, and what belongs to those of 4 bits. */
function readWeights(from: Reader): { weights: WeightOperand; multipliers?: Multipliers } {
  const weights = readView(from, WEIGHT_TYPES);
  const multipliers = from.optional((): Multipliers => ({ values: readOperand(from), block: from.i64() }));
  return { weights, ...present("multipliers", multipliers) };
}

function readTable(from: Reader): PostTable {
  return { knots: readOperand(from), multiplier: readOperand(from), shift: readOperand(from) };
}

function readPost(from: Reader): Post {
  const multiplier = readOperand(from);
  const shift = readOperand(from);
  const table = from.optional(() => readTable(from));
  const round = from.choice(ROUNDS, "rounding");
  const wide = from.flag();
  const [yZero, yMin, yMax] = [from.i64(), from.i64(), from.i64()];
  const rest = { round, wide, yZero, yMin, yMax };
  return table === undefined ? { multiplier, shift, ...rest } : { multiplier, shift, table, ...rest };
}

/** Leaves the key out where the value is absent, as the scheduler does. */
function present<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]?: T });
}

/** The NPUs that a read is broadcast to; the key is left out where there is none. */
function readNpus(from: Reader): { npus?: readonly number[] } {
  const npus = from.list(2, () => from.u16());
  return npus.length === 0 ? {} : { npus };
}

type Common = Pick<Command, "engine" | "npu" | "waits" | "origin">;

function readFields(from: Reader, kind: CommandKind, common: Common): Command {
  const operand = () => readOperand(from);
  const integer = () => from.i64();
  const pair = (): Pair => [from.i64(), from.i64()];
  const four = (): Four => [from.i64(), from.i64(), from.i64(), from.i64()];
  switch (kind) {
    case "stop":
      return { ...common, kind };
    case "dma-read":
    case "dma-write":
      return { ...common, kind, from: operand(), to: operand(), ...readNpus(from) };
    case "conv": {
      const x = operand();
      const { weights: w, ...factors } = readWeights(from);
      const [bias, y] = [from.optional(operand), operand()];
      const [xZero, strides, pads, dilations, groups] = [integer(), pair(), four(), pair(), integer()];
      const [mapping, block] = [from.choice(MAPPINGS, "mapping"), integer()];
      const fields = {
        x,
        w,
        ...factors,
        ...present("bias", bias),
        y,
        xZero,
        strides,
        pads,
        dilations,
        groups,
        mapping,
        block,
      };
      return { ...common, kind, ...fields, post: readPost(from) };
    }
    case "deconv": {
      const x = operand();
      const { weights: w, ...factors } = readWeights(from);
      const [bias, y] = [from.optional(operand), operand()];
      const [xZero, strides, pads, dilations, groups] = [integer(), pair(), pair(), pair(), integer()];
      const fields = { x, w, ...factors, ...present("bias", bias), y, xZero, strides, pads, dilations, groups };
      return { ...common, kind, ...fields, post: readPost(from) };
    }
    case "matmul": {
      const a = operand();
      const { weights: b, ...factors } = readWeights(from);
      const [bias, y] = [from.optional(operand), operand()];
      const [aZero, bZero, normalise] = [integer(), integer(), from.flag()];
      const fields = { a, b, ...factors, ...present("bias", bias), y, aZero, bZero, normalise };
      return { ...common, kind, ...fields, post: readPost(from) };
    }
    case "eltwise": {
      const operation = from.choice(["add", "mul", "max", "min"] as const, "operation");
      const [a, b, y] = [operand(), operand(), operand()];
      const [aZero, bZero, aMultiplier, bMultiplier] = [integer(), integer(), integer(), integer()];
      const post = from.optional(() => readPost(from));
      const fields = { operation, a, b, y, aZero, bZero, aMultiplier, bMultiplier };
      return { ...common, kind, ...fields, ...present("post", post) };
    }
    case "scale":
      return { ...common, kind, x: operand(), y: operand(), xZero: integer(), post: readPost(from) };
    case "table":
      return { ...common, kind, x: operand(), table: operand(), y: operand() };
    case "pool": {
      const operation = from.choice(["max", "average"] as const, "operation");
      const [x, y, xZero, kernel] = [operand(), operand(), integer(), pair()];
      const [strides, pads, dilations, countIncludePad] = [pair(), four(), pair(), from.flag()];
      const post = from.optional(() => readPost(from));
      const fields = { operation, x, y, xZero, kernel, strides, pads, dilations, countIncludePad };
      return { ...common, kind, ...fields, ...present("post", post) };
    }
    case "reduce": {
      const operation = from.choice(["sum", "max", "min", "l2", "margin", "ctc-margin"] as const, "operation");
      const [x, y, xZero] = [operand(), operand(), integer()];
      return {
        ...common,
        kind,
        operation,
        x,
        y,
        xZero,
        ...present(
          "post",
          from.optional(() => readPost(from)),
        ),
      };
    }
    case "softmax":
      return { ...common, kind, x: operand(), table: operand(), y: operand(), normalised: from.flag() };
    case "norm": {
      const [x, gamma, beta, y] = [operand(), operand(), operand(), operand()];
      const [xZero, axes, center, epsilon] = [integer(), integer(), from.flag(), integer()];
      return { ...common, kind, x, gamma, beta, y, xZero, axes, center, epsilon, post: readPost(from) };
    }
    case "move":
    case "pack":
    case "unpack":
      return { ...common, kind, x: operand(), y: operand() };
    case "fill":
      return { ...common, kind, y: operand(), value: integer() };
    case "gather":
      return { ...common, kind, x: operand(), indices: operand(), y: operand() };
    case "scatter":
      return { ...common, kind, x: operand(), indices: operand(), y: operand(), circular: from.flag() };
    case "cpu":
      return { ...common, kind, text: from.text(), inputs: from.list(11, operand), outputs: from.list(11, operand) };
  }
}

function readCommand(from: Reader, index: number, origins: readonly string[]): Command {
  const kind = from.choice(KINDS, "command");
  const engine = from.choice(ENGINES, "engine");
  const npu = from.u16();
  const waits = from.list(4, () => from.u32());
  for (const wait of waits) if (wait >= index) from.fail(`command ${index} waits for ${wait}, which comes later`);
  const origin = from.list(4, () => {
    const place = from.u32();
    return place < origins.length ? origins[place] : from.fail(`there is no origin ${place}`);
  });
  return readFields(from, kind, { engine, npu, waits, origin });
}

function readQuant(from: Reader): PortQuant {
  const scale = from.list(4, () => from.f32());
  const zeroPoint = from.list(8, () => from.i64());
  const axis = from.i64();
  return axis < 0 ? { scale, zeroPoint } : { scale, zeroPoint, axis };
}

function readTyped(from: Reader): Pick<Port, "dtype" | "shape" | "quant" | "address"> {
  const dtype = from.choice(STORAGES, "type");
  const shape = from.list(4, () => from.u32());
  if (shape.length > MAX_RANK) from.fail(`a port has ${shape.length} axes`);
  const quant = from.optional(() => readQuant(from));
  return { dtype, shape, ...present("quant", quant), address: from.u64() };
}

function readEntry(from: Reader, origins: readonly string[]): Entry {
  const port = (): Port => ({ name: from.text(), ...readTyped(from) });
  const name = from.text();
  const inputs = from.list(18, port);
  const outputs = from.list(18, port);
  let index = 0;
  return { name, inputs, outputs, commands: from.list(12, () => readCommand(from, index++, origins)) };
}

/** The commands, ports and states of a program section; nothing of what they say has been checked but its form. */
export function decodeCommands(bytes: Uint8Array): Omit<Program, "weights" | "plan"> {
  const from = new Reader(bytes, "program");
  from.magic("DOPTPROG");
  const version = from.u32();
  if (version !== VERSION) from.fail(`it is of version ${version}, this reads ${VERSION}`);
  const [name, target] = [from.text(), from.text()];
  const npus = from.u32();
  const [sramBytes, dramBytes, weightBytes] = [from.u64(), from.u64(), from.u64()];
  const origins = from.list(4, () => from.text());
  const states = from.list(30, (): StateBuffer => {
    const [input, output] = [from.text(), from.text()];
    return { input, output, ...readTyped(from), init: from.u64() };
  });
  const entries = from.list(16, () => readEntry(from, origins));
  from.end();
  return { name, target, npus, sramBytes, dramBytes, weightBytes, states, entries };
}

export function decodePlan(bytes: Uint8Array): EntryPlan[] {
  const from = new Reader(bytes, "plan");
  from.magic("DOPTPLAN");
  const version = from.u32();
  if (version !== VERSION) from.fail(`it is of version ${version}, this reads ${VERSION}`);
  const plan = from.list(24, (): EntryPlan => {
    const [name, sramPeakBytes, sramLowerBoundBytes] = [from.text(), from.u64(), from.u64()];
    const buffers = from.list(31, () => ({
      name: from.text(),
      space: from.choice(SPACES, "memory"),
      npu: from.u16(),
      address: from.u64(),
      bytes: from.u64(),
      first: from.u32(),
      last: from.u32(),
    }));
    return { name, sramPeakBytes, sramLowerBoundBytes, buffers };
  });
  from.end();
  return plan;
}

/** All sections together. The weights must be as long as the program says. */
export function decodeProgram(sections: Sections): Program {
  const decoded = decodeCommands(sections.program);
  if (sections.weights.byteLength !== decoded.weightBytes)
    new Reader(sections.weights, "weights").fail(`${decoded.weightBytes} bytes were expected`);
  return { ...decoded, weights: sections.weights, plan: decodePlan(sections.plan) };
}
