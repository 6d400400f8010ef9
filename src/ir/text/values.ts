import { createHash } from "node:crypto";
import { type DType, elementCount, type Quant, type Tensor, type Type } from "../graph.ts";
import { decode, encode, integerRange, isFloat } from "../numbers.ts";
import { seededRandom } from "../random.ts";
import { bytesOf, isLazy } from "../tensor.ts";
import { isBareName, isNumber, type Scanner } from "./scan.ts";

/** Tensors up to this many elements are printed in place. */
const INLINE = 16;
/** No text makes a tensor larger than this out of nothing (`zeros`, `random`): its elements. */
const GENERATED = 1 << 26;

const DTYPES: ReadonlySet<string> = new Set<DType>([
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "float4e2m1",
  "int2",
  "uint2",
  "int4",
  "uint4",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
  "string",
  "complex64",
  "complex128",
]); // prettier-ignore

export function printName(name: string): string {
  return isBareName(name) ? name : JSON.stringify(name);
}

/** The shortest decimal that reads back as the same float32. */
export function printFloat32(value: number): string {
  if (Object.is(value, -0)) return "-0";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const single = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return String(short);
  }
  return String(Number(single.toPrecision(9)));
}

/** A float attribute: it always shows that it is one. */
export function printFloatAttr(value: number): string {
  const text = printFloat32(value);
  return /[.en]/.test(text) ? text : `${text}.0`;
}

export function parseNumber(text: string): number {
  const lower = text.toLowerCase();
  if (/^[+-]?inf$/.test(lower)) return lower.startsWith("-") ? -Infinity : Infinity;
  return /^[+-]?nan$/.test(lower) ? Number.NaN : Number(text);
}

function printElement(dtype: DType, value: number | bigint): string {
  if (typeof value === "bigint") return String(value);
  if (dtype !== "float64" && dtype !== "complex128") return printFloat32(value);
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? String(value) : printFloat32(value);
}

export interface TensorSink {
  /** The place of a tensor in the list beside the text. */
  add(tensor: Tensor): number;
}

function isInline(tensor: Tensor): boolean {
  if (isLazy(tensor.data) || elementCount(tensor.shape) > INLINE) return false;
  if (Array.isArray(tensor.data)) return true;
  // A NaN's payload would not survive.
  return !isFloat(tensor.dtype) || (decode(tensor) as Float32Array).every((value) => !Number.isNaN(value));
}

function isZero(tensor: Tensor): boolean {
  return !isLazy(tensor.data) && !Array.isArray(tensor.data) && bytesOf(tensor).every((byte) => byte === 0);
}

/** What stands right of `=`. Without a sink, large tensors are a digest that only people read. */
export function printTensorValue(tensor: Tensor, sink: TensorSink | undefined): string {
  if (isInline(tensor)) {
    if (Array.isArray(tensor.data)) return `[${tensor.data.map((text) => JSON.stringify(text)).join(", ")}]`;
    const values = Array.from(decode(tensor) as ArrayLike<number | bigint>, (value) =>
      printElement(tensor.dtype, value),
    );
    return tensor.shape.length === 0 && values.length === 1 ? values[0] : `[${values.join(", ")}]`;
  }
  if (isZero(tensor)) return "zeros";
  if (sink !== undefined) return `data(${sink.add(tensor)})`;
  if (isLazy(tensor.data)) return `data(${tensor.data.byteLength} bytes in a file)`;
  const content = Array.isArray(tensor.data) ? JSON.stringify(tensor.data) : bytesOf(tensor);
  return `data(sha256:${createHash("sha256").update(content).digest("hex").slice(0, 12)})`;
}

function printList(values: ArrayLike<number>, limit: number, show: (value: number) => string): string {
  if (values.length === 1) return show(values[0]);
  if (values.length <= limit) return `[${Array.from(values, show).join(", ")}]`;
  return `[${Array.from({ length: 2 }, (_, index) => show(values[index])).join(", ")}, … ${values.length}]`;
}

function printQuant(quant: Quant, limit: number): string {
  const parts = [`scale=${printList(quant.scale, limit, printFloat32)}`];
  const zero = quant.zeroPoint;
  if (zero.length !== 1 || zero[0] !== 0) parts.push(`zero=${printList(zero, limit, String)}`);
  if (quant.axis !== undefined) parts.push(`axis=${quant.axis}`);
  if (quant.block !== undefined) parts.push(`block=${quant.block}`);
  if (quant.multipliers !== undefined) {
    parts.push(`multipliers=${printList(quant.multipliers.values, limit, String)}`, `each=${quant.multipliers.block}`);
  }
  return `{${parts.join(", ")}}`;
}

/** `float32[1,N,3]{scale=0.5}`; with `short`, long lists of scales are cut for people. */
export function printType(type: Type, short = false): string {
  const dims = type.shape?.map((dim) => (dim === "?" || typeof dim === "number" ? dim : printDim(dim)));
  const quant = type.quant === undefined ? "" : printQuant(type.quant, short ? 4 : Number.POSITIVE_INFINITY);
  const plain = `${type.dtype}${dims === undefined ? "" : `[${dims.join(",")}]`}${quant}`;
  return type.container === undefined ? plain : `${type.container}(${plain})`;
}

function printDim(dim: string): string {
  return /^[A-Za-z_][A-Za-z0-9_./-]*$/.test(dim) ? dim : JSON.stringify(dim);
}

export function parseType(scanner: Scanner): Type {
  const token = scanner.take();
  const { text } = token;
  if (text === "sequence" || text === "optional" || text === "optional-sequence") {
    scanner.expect("(");
    const inner = parseType(scanner);
    scanner.expect(")");
    return { ...inner, container: text };
  }
  if (!DTYPES.has(text)) scanner.fail(`"${text}" is not a type of values`, token);
  const type: { dtype: DType; shape?: (number | string)[]; quant?: Quant } = { dtype: text as DType };
  if (scanner.skip("[")) type.shape = parseSeparated(scanner, "]", () => parseDim(scanner));
  if (scanner.skip("{")) type.quant = parseQuant(scanner);
  return type;
}

function parseDim(scanner: Scanner): number | string {
  const token = scanner.take();
  if (token.kind === "string" || (token.kind === "mark" && token.text === "?")) return token.text;
  if (token.kind !== "word") return scanner.fail("expected a dimension", token);
  return /^-?\d+$/.test(token.text) ? Number(token.text) : token.text;
}

/** What stands between brackets, separated by commas, over as many lines as it likes. */
export function parseSeparated<T>(scanner: Scanner, close: string, item: () => T): T[] {
  const items: T[] = [];
  scanner.skipLines();
  while (!scanner.skip(close)) {
    items.push(item());
    scanner.skipLines();
    if (scanner.skip(",")) scanner.skipLines();
    else if (scanner.peek().text !== close) scanner.fail(`expected "," or "${close}"`);
  }
  return items;
}

function numberOf(scanner: Scanner): number {
  const token = scanner.take();
  if (token.kind !== "word" || !isNumber(token.text)) return scanner.fail("expected a number", token);
  return parseNumber(token.text);
}

function numbersIn(scanner: Scanner): number[] {
  return scanner.skip("[") ? parseSeparated(scanner, "]", () => numberOf(scanner)) : [numberOf(scanner)];
}

function parseQuant(scanner: Scanner): Quant {
  const quant: { -readonly [K in "axis" | "block"]?: Quant[K] } & { scale?: Float32Array; zeroPoint: Int32Array } = {
    zeroPoint: new Int32Array(1),
  };
  const factors: { values?: Uint8Array; block?: number } = {};
  parseSeparated(scanner, "}", () => {
    const token = scanner.take();
    scanner.expect("=");
    if (token.text === "scale") quant.scale = Float32Array.from(numbersIn(scanner));
    else if (token.text === "zero") quant.zeroPoint = Int32Array.from(numbersIn(scanner));
    else if (token.text === "axis") quant.axis = numberOf(scanner);
    else if (token.text === "block") quant.block = numberOf(scanner);
    else if (token.text === "multipliers") factors.values = multipliersIn(scanner);
    else if (token.text === "each") factors.block = numberOf(scanner);
    else scanner.fail(`"${token.text}" is none of scale, zero, axis, block, multipliers, each`, token);
  });
  const { scale } = quant;
  if (scale === undefined || scale.length === 0) return scanner.fail("a quantized type needs a scale");
  const { values, block } = factors;
  if ((values === undefined) !== (block === undefined)) return scanner.fail("multipliers need an each, and it them");
  return values === undefined || block === undefined
    ? { ...quant, scale }
    : { ...quant, scale, multipliers: { block, values } };
}

function multipliersIn(scanner: Scanner): Uint8Array {
  const numbers = numbersIn(scanner);
  const wrong = numbers.find((value) => !(Number.isInteger(value) && value >= 1 && value <= 127));
  return wrong === undefined ? Uint8Array.from(numbers) : scanner.fail(`${wrong} is no multiplier: 1 to 127`);
}

/** What stands right of `=` for a tensor of this type. */
export function parseTensorValue(scanner: Scanner, type: Type, tensors: readonly Tensor[]): Tensor {
  const shape = type.shape;
  if (shape === undefined || !shape.every((dim): dim is number => typeof dim === "number" && dim >= 0)) {
    return scanner.fail("a constant's shape must be known");
  }
  const make = (data: Tensor["data"]): Tensor =>
    type.quant === undefined
      ? { dtype: type.dtype, shape, data }
      : { dtype: type.dtype, shape, data, quant: type.quant };
  const start = scanner.peek();
  if (scanner.skip("data")) {
    scanner.expect("(");
    const index = numberOf(scanner);
    scanner.expect(")");
    const tensor = tensors[index];
    if (tensor === undefined) return scanner.fail(`there is no tensor ${index} beside the text`, start);
    if (tensor.dtype !== type.dtype || String(tensor.shape) !== String(shape)) {
      return scanner.fail(`tensor ${index} is ${printType(tensor)}, not ${printType(type)}`, start);
    }
    return type.quant === undefined && tensor.quant === undefined ? tensor : make(tensor.data);
  }
  const count = shape.reduce((product, dim) => product * dim, type.dtype.startsWith("complex") ? 2 : 1);
  if (!(count <= GENERATED)) return scanner.fail(`a tensor of ${count} elements cannot be written in text`, start);
  const values = start.text === "[" ? listValues(scanner, type.dtype) : generatedValues(scanner, type.dtype, count);
  if (values.length !== count) return scanner.fail(`${values.length} values for a shape of ${count}`, start);
  return make(type.dtype === "string" ? values.map(String) : encode(type.dtype, values as (number | bigint)[]));
}

function listValues(scanner: Scanner, dtype: DType): (number | bigint | string)[] {
  scanner.expect("[");
  return parseSeparated(scanner, "]", () => {
    if (dtype === "string") return scanner.name("a string");
    return element(scanner, dtype);
  });
}

function element(scanner: Scanner, dtype: DType): number | bigint {
  const token = scanner.take();
  if (token.kind !== "word" || !isNumber(token.text)) return scanner.fail("expected a number", token);
  if (!dtype.endsWith("int64")) {
    const value = parseNumber(token.text);
    if (!isFloat(dtype) && !dtype.startsWith("complex")) checkRange(scanner, dtype, value);
    return value;
  }
  if (!/^[+-]?\d+$/.test(token.text)) return scanner.fail("expected an integer", token);
  return BigInt(token.text);
}

function checkRange(scanner: Scanner, dtype: DType, value: number): void {
  const [low, high] = integerRange(dtype);
  if (!Number.isInteger(value) || value < low || value > high) scanner.fail(`${value} is no ${dtype}`);
}

function generatedValues(scanner: Scanner, dtype: DType, count: number): (number | bigint | string)[] {
  const token = scanner.peek();
  if (scanner.skip("zeros")) return new Array(count).fill(dtype === "string" ? "" : 0);
  if (scanner.skip("ones")) return new Array(count).fill(1);
  if (scanner.skip("iota")) return Array.from({ length: count }, (_, index) => index);
  if (scanner.skip("random")) {
    scanner.expect("(");
    const [seed, low, high] = parseSeparated(scanner, ")", () => numberOf(scanner));
    if (seed === undefined) return scanner.fail("random needs a seed", token);
    return randomValues(dtype, count, seed, low, high);
  }
  if (dtype === "string") return new Array(count).fill(scanner.name("a string"));
  return new Array(count).fill(element(scanner, dtype));
}

/** Uniform: floats in [−1, 1), integers over their small range, bool; or in [low, high). */
export function randomValues(dtype: DType, count: number, seed: number, low?: number, high?: number): number[] {
  const next = seededRandom(seed);
  const real = isFloat(dtype) || dtype.startsWith("complex");
  const wide = dtype.endsWith("64") || dtype.endsWith("32");
  const [from, to] = real ? [-1, 1] : wide ? [0, 8] : integerRange(dtype).map((end, index) => end + index);
  const first = low ?? from;
  const span = (high ?? to) - first;
  return Array.from({ length: count }, () => (real ? next() * span + first : Math.floor(next() * span + first)));
}
