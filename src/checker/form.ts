/** What a command must be by itself: operands within their memories, shapes that go together, an engine that can do it. */
import type { Command, Operand, Post, Program, Space, Storage } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { npusOf, readsOf, writesOf } from "./access.ts";
import type { FaultKind } from "./fault.ts";
import { countOf, ELEMENT_BYTES, extentOf, isInjective, sizeOf } from "./operand.ts";
import { isPaired, multiplierCount, rowsOf, weightsOf } from "./packed.ts";
import { checkUnit } from "./unit.ts";

export type Report = (kind: FaultKind, says: string) => void;

/** No view of a real chip's memory has more elements. */
const MOST_ELEMENTS = 2 ** 40;

const CODES: readonly Storage[] = ["int8", "uint8", "int16", "int32"];
const ACTIVATIONS: readonly Storage[] = ["int8", "int16"];
const STORED: readonly Storage[] = ["int8", "uint8", "int16"];
const INDICES: readonly Storage[] = ["int32", "int64"];

const RANGES: ReadonlyMap<Storage, readonly [number, number]> = new Map<Storage, readonly [number, number]>([
  ["int8", [-128, 127]],
  ["uint8", [0, 255]],
  ["bool", [0, 1]],
  ["int16", [-(2 ** 15), 2 ** 15 - 1]],
  ["uint16", [0, 2 ** 16 - 1]],
  ["int32", [-(2 ** 31), 2 ** 31 - 1]],
  ["uint32", [0, 2 ** 32 - 1]],
]);

/** Every code of a type; without end where they are not whole numbers of at most 32 bits. */
export function rangeOf(dtype: Storage): readonly [number, number] {
  return RANGES.get(dtype) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
}

/** Whether everything about the operand is sane enough to reason about its bytes. */
function checkOperand(operand: Operand, what: string, program: Program, target: Target, report: Report): boolean {
  const { space, address, dtype, shape, strides } = operand;
  const numbers = [address, ...shape, ...strides];
  if (!ELEMENT_BYTES.has(dtype) || shape.length !== strides.length || !numbers.every(Number.isSafeInteger)) {
    report("form", `${what} is no view`);
    return false;
  }
  if (shape.some((length) => length < 1) || countOf(shape) > MOST_ELEMENTS) {
    report("form", `${what} has the shape [${shape}]`);
    return false;
  }
  const { low, high } = extentOf(operand);
  const limit = space === "sram" ? program.sramBytes : program.dramBytes;
  if (!(low >= 0 && high <= limit)) {
    report("bounds", `${what} reaches from byte ${low} to ${high}, ${space} has ${limit}`);
    return false;
  }
  if (address % sizeOf(dtype) !== 0) report("alignment", `${what} at ${address} is not aligned to its ${dtype}`);
  if (shape.length > target.limits.rank) report("limit", `${what} has ${shape.length} axes of ${target.limits.rank}`);
  return true;
}

/** False where the command's accesses cannot be followed. */
export function checkForm(command: Command, program: Program, target: Target, report: Report): boolean {
  const before = { sane: true };
  const npus = npusOf(command);
  for (const npu of [command.npu, ...npus]) {
    if (Number.isInteger(npu) && npu >= 0 && npu < program.npus) continue;
    report("bounds", `there is no NPU ${npu} of ${program.npus}`);
    before.sane = false;
  }
  if (npus.some((npu, at) => at > 0 && npu <= npus[at - 1])) report("form", "its NPUs are not in order");
  for (const { role, operand } of readsOf(command))
    before.sane = checkOperand(operand, role, program, target, report) && before.sane;
  for (const operand of writesOf(command)) {
    before.sane = checkOperand(operand, "the result", program, target, report) && before.sane;
    if (before.sane && !isInjective(operand)) report("form", "elements of the result overlap");
  }
  if (!before.sane) return false;
  checkUnit(command, target, report);
  checkShapes(command, (kind, says) => report(kind, says));
  return true;
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Conditions with the sentence that says them. */
class Conditions {
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  that(holds: boolean, says: string): void {
    if (!holds) this.report("form", says);
  }

  operand(what: string, { space, dtype }: Operand, types?: readonly Storage[], spaces: readonly Space[] = ["sram"]) {
    this.that(spaces.includes(space), `${what} lies in ${space}`);
    if (types) this.that(types.includes(dtype), `${what} is ${dtype}`);
  }

  /** The array's second operand: int8, or int4 in rows, with as many multipliers as blocks. */
  weights(command: Extract<Command, { kind: "conv" | "deconv" | "matmul" }>): void {
    const { dtype, space } = weightsOf(command);
    const { engine, multipliers } = command;
    this.that(space === "sram", `the weights lie in ${space}`);
    if (dtype !== "int4") {
      this.that(dtype === "int8", `the weights are ${dtype}`);
      this.that(multipliers === undefined, "weights of 8 bits have multipliers");
      return;
    }
    this.that(rowsOf(command) !== undefined || isPaired(command), "weights of 4 bits do not lie in rows");
    this.that(engine === "array", `${engine} unpacks no weights`);
    this.that(command.kind !== "deconv" || command.groups === 1, "a deconvolution in groups has packed weights");
    if (multipliers === undefined) return;
    this.operand("the multipliers", multipliers.values, ["uint8"]);
    const [count, wanted] = [countOf(multipliers.values.shape), multiplierCount(command, multipliers)];
    this.that(count === wanted, `${count} multipliers for ${wanted ?? "no"} blocks`);
  }

  /** A zero point is a code of its operand. */
  zero({ dtype }: Pick<Operand, "dtype">, zero: number): void {
    const [low, high] = rangeOf(dtype);
    this.that(zero >= low && zero <= high, `the zero point ${zero} is no ${dtype}`);
  }

  /** One number for all channels, or one a channel. */
  perChannel(what: string, operand: Operand, channels: number, types: readonly Storage[]): void {
    this.operand(what, operand, types);
    const count = countOf(operand.shape);
    this.that(count === 1 || count === channels, `${what} has ${count} numbers for ${channels} channels`);
  }

  post(post: Post, channels: number, y: Operand): void {
    const { multiplier, shift, table, round, wide, yMin, yMax } = post;
    const float = round === "ort-f32-rne" && !wide;
    this.perChannel("the multiplier", multiplier, channels, [float ? "float32" : "int32"]);
    this.perChannel("the shift", shift, channels, ["int32"]);
    const [low, high] = rangeOf(y.dtype);
    this.that(low <= yMin && yMin <= yMax && yMax <= high, `codes ${yMin} to ${yMax} are not ${y.dtype}`);
    if (table === undefined) return;
    this.operand("the table", table.knots, ["int16"]);
    this.that(countOf(table.knots.shape) === 513, "the table has not 513 knots");
    this.perChannel("the table's multiplier", table.multiplier, channels, ["int32"]);
    this.perChannel("the table's shift", table.shift, channels, ["int32"]);
  }

  /** A stage where there must be one, none where there must be none. */
  stage(post: Post | undefined, needed: boolean, channels: number, y: Operand): void {
    this.that((post !== undefined) === needed, `its post stage is ${needed ? "missing" : "one too many"}`);
    if (post) this.post(post, channels, y);
  }
}

function isWhole(values: readonly number[]): boolean {
  return values.every((value) => Number.isInteger(value) && value >= 1);
}

function checkShapes(command: Command, report: Report): void {
  const must = new Conditions(report);
  switch (command.kind) {
    case "stop":
    case "cpu":
      return;
    case "dma-read":
    case "dma-write": {
      const { from, to, kind } = command;
      const [source, sink]: Space[] = kind === "dma-read" ? ["dram", "sram"] : ["sram", "dram"];
      must.operand("what is copied", from, undefined, [source]);
      must.operand("the copy", to, undefined, [sink]);
      must.that(from.dtype === to.dtype, `a copy makes ${to.dtype} of ${from.dtype}`);
      must.that(same(from.shape, to.shape), `a copy makes [${to.shape}] of [${from.shape}]`);
      must.that(kind === "dma-read" || command.npus === undefined, "only reads are broadcast");
      return;
    }
    case "conv":
    case "deconv": {
      const { kind, x, w, bias, y, groups } = command;
      must.operand("x", x, ACTIVATIONS);
      must.weights(command);
      must.operand("y", y, STORED);
      const four = [x, w, y].every(({ shape }) => shape.length === 4);
      must.that(four, "a convolution has operands of four axes");
      must.that(isWhole([groups, ...command.strides, ...command.dilations]), "strides, dilations and groups are whole");
      if (!four || !isWhole([groups])) return;
      const [inputs, outputs] = kind === "conv" ? [w.shape[1] * groups, w.shape[0]] : [w.shape[0], w.shape[1] * groups];
      const fits = x.shape[0] === y.shape[0] && x.shape[1] === inputs && y.shape[1] === outputs;
      const whole = (kind === "conv" ? w.shape[0] : x.shape[1]) % groups === 0;
      must.that(fits && whole, `[${x.shape}] by [${w.shape}] in ${groups} groups is not [${y.shape}]`);
      if (kind === "conv") {
        for (const axis of [0, 1] as const) {
          const { pads, strides, dilations } = command;
          const padded = x.shape[2 + axis] + pads[axis] + pads[2 + axis];
          const reach = (y.shape[2 + axis] - 1) * strides[axis] + (w.shape[2 + axis] - 1) * dilations[axis] + 1;
          must.that(reach <= padded, `windows reach over ${reach} of ${padded} padded cells`);
        }
      }
      must.zero(x, command.xZero);
      if (bias) must.perChannel("the bias", bias, y.shape[1], ["int32"]);
      must.post(command.post, y.shape[1], y);
      return;
    }
    case "matmul": {
      const { a, b, bias, y, normalise } = command;
      must.operand("a", a, STORED);
      must.weights(command);
      must.operand("y", y, STORED);
      const axes = y.shape.length;
      must.that(axes >= 2, "a matrix has two axes");
      if (axes < 2) return;
      const [batch, rows, columns] = [y.shape.slice(0, -2), y.shape[axes - 2], y.shape[axes - 1]];
      const depth = a.shape[a.shape.length - 1];
      const fits = same(a.shape, [...batch, rows, depth]) && same(b.shape, [...batch, depth, columns]);
      must.that(fits, `[${a.shape}] by [${b.shape}] is not [${y.shape}]`);
      if (normalise) must.that(a.dtype === "uint8" && bias === undefined, "only weights of a softmax are normalised");
      must.zero(a, command.aZero);
      must.zero({ dtype: "int8" }, command.bZero);
      must.that(b.dtype === "int8" || command.bZero === 0, "weights of 4 bits have a zero point");
      if (bias) must.perChannel("the bias", bias, columns, ["int32"]);
      must.post(command.post, columns, y);
      return;
    }
    case "eltwise": {
      const { a, b, y, post, operation } = command;
      for (const operand of [a, b]) must.operand("an operand", operand, CODES);
      must.operand("y", y, CODES);
      must.that(same(a.shape, y.shape) && same(b.shape, y.shape), `[${a.shape}], [${b.shape}] are not [${y.shape}]`);
      must.zero(a, command.aZero);
      must.zero(b, command.bZero);
      must.stage(post, operation === "add" || operation === "mul", 1, y);
      return;
    }
    case "scale":
      must.operand("x", command.x, CODES);
      must.operand("y", command.y, STORED);
      must.that(same(command.x.shape, command.y.shape), `[${command.x.shape}] is not [${command.y.shape}]`);
      must.zero(command.x, command.xZero);
      must.post(command.post, 1, command.y);
      return;
    case "table": {
      const { x, table, y } = command;
      for (const operand of [x, table, y]) must.operand("an operand", operand, ACTIVATIONS);
      must.that(same(x.shape, y.shape), `[${x.shape}] is not [${y.shape}]`);
      must.that(countOf(table.shape) === (x.dtype === "int8" ? 256 : 513), "the table has another length");
      return;
    }
    case "pool": {
      const { x, y, post, kernel, strides, dilations, operation } = command;
      must.operand("x", x, ACTIVATIONS);
      must.operand("y", y, STORED);
      must.that(isWhole([...kernel, ...strides, ...dilations]), "kernel, strides and dilations are whole");
      const fits = x.shape.length === 4 && y.shape.length === 4 && same(x.shape.slice(0, 2), y.shape.slice(0, 2));
      must.that(fits, `pooling [${x.shape}] does not give [${y.shape}]`);
      must.zero(x, command.xZero);
      must.stage(post, operation === "average", countOf(kernel), y);
      return;
    }
    case "reduce": {
      const { x, y, post, operation } = command;
      must.operand("x", x, CODES);
      must.operand("y", y, CODES);
      must.that(same(x.shape.slice(0, y.shape.length), y.shape), `reducing [${x.shape}] does not give [${y.shape}]`);
      must.zero(x, command.xZero);
      if (operation === "margin" || operation === "ctc-margin") {
        must.operand("x", x, ACTIVATIONS);
        must.operand("y", y, ["int16"]);
        must.that(countOf(x.shape) >= 2 * countOf(y.shape), "a margin is that of two codes or more");
      }
      must.stage(post, operation === "sum" || operation === "l2", 1, y);
      return;
    }
    case "softmax": {
      const { x, table, y } = command;
      must.operand("x", x, ACTIVATIONS);
      must.operand("the table", table, ["int32"]);
      must.operand("y", y, STORED);
      must.that(x.shape.length >= 1 && same(x.shape, y.shape), `[${x.shape}] is not [${y.shape}]`);
      must.that(countOf(table.shape) === (x.dtype === "int8" ? 256 : 512), "the table has another length");
      return;
    }
    case "norm": {
      const { x, y, gamma, beta, axes, epsilon, post } = command;
      must.operand("x", x, ACTIVATIONS);
      for (const operand of [gamma, beta]) must.operand("gamma or beta", operand, CODES);
      must.operand("y", y, STORED);
      const fits = same(x.shape, y.shape) && axes >= 1 && axes <= x.shape.length;
      must.that(fits, `normalising ${axes} axes of [${x.shape}] does not give [${y.shape}]`);
      must.that(epsilon >= 1, "its epsilon is below 1");
      must.zero(x, command.xZero);
      const count = countOf(x.shape.slice(Math.max(0, x.shape.length - axes)));
      for (const operand of [gamma, beta]) must.perChannel("gamma or beta", operand, count, CODES);
      must.post(post, 1, y);
      return;
    }
    case "move": {
      const { x, y } = command;
      must.operand("x", x);
      must.operand("y", y);
      must.that(same(x.shape, y.shape), `[${x.shape}] is not [${y.shape}]`);
      const casts = CODES.includes(x.dtype) && CODES.includes(y.dtype);
      must.that(x.dtype === y.dtype || casts, `a move makes ${y.dtype} of ${x.dtype}`);
      return;
    }
    case "pack":
    case "unpack": {
      const { kind, x, y } = command;
      const [codes, bytes] = kind === "pack" ? [x, y] : [y, x];
      must.operand("the codes", codes, ["int8"]);
      must.operand("the bytes", bytes, ["uint8"]);
      const last = codes.shape.length - 1;
      const wanted = codes.shape.map((length, axis) => (axis === last ? length / 2 : length));
      must.that(last >= 0 && same(wanted, bytes.shape), `[${codes.shape}] codes are not [${bytes.shape}] bytes`);
      return;
    }
    case "fill": {
      must.operand("y", command.y, CODES);
      const [low, high] = rangeOf(command.y.dtype);
      must.that(low <= command.value && command.value <= high, `${command.value} is no ${command.y.dtype}`);
      return;
    }
    case "gather": {
      const { x, indices, y } = command;
      must.operand("x", x, undefined, ["sram", "dram"]);
      must.operand("the indices", indices, INDICES);
      must.operand("y", y);
      const fits =
        x.shape.length === 3 && indices.shape.length === 1 && same(y.shape, [x.shape[0], indices.shape[0], x.shape[2]]);
      must.that(fits && x.dtype === y.dtype, `[${indices.shape}] rows of [${x.shape}] are not [${y.shape}]`);
      return;
    }
    case "scatter": {
      const { x, indices, y } = command;
      must.operand("x", x);
      must.operand("the indices", indices, INDICES);
      must.operand("y", y, undefined, ["sram", "dram"]);
      const four = x.shape.length === 4 && y.shape.length === 4;
      const fits = four && [0, 1, 3].every((axis) => x.shape[axis] === y.shape[axis]) && x.shape[2] <= y.shape[2];
      must.that(fits && same(indices.shape, [x.shape[0]]), `rows [${x.shape}] do not fit [${y.shape}]`);
      must.that(x.dtype === y.dtype, `a scatter makes ${y.dtype} of ${x.dtype}`);
      return;
    }
  }
}
