import { elementCount, isStatic } from "../../ir/graph.ts";
import type { ChannelProbe, ChannelRequest, Grid } from "../probe.ts";
import { asFloat32, FLOAT32, float, type Writer } from "./writer.ts";

/** Sums up each channel of a value; undefined where its shape is only known at run time. */
export function probeChannels(writer: Writer, { value, axis, grid, moment }: ChannelRequest): ChannelProbe | undefined {
  const type = writer.type(value);
  const shape = type?.shape;
  if (!type || !isStatic(shape) || elementCount(shape) === 0) return undefined;
  const channels = shape[axis];
  const size = elementCount(shape) / channels;
  const { add, constant, keep } = writer;
  const axes = constant(
    "int64",
    shape.flatMap((_, index) => (index === axis ? [] : [index])),
  );
  const real = asFloat32(writer, value, type.dtype, shape);
  const over = (op: string, name: string) =>
    shape.length === 1 ? name : add(op, [name, axes], float([channels]), { keepdims: { i: 0 } });
  const plain = { channels, size, unit: 1, offset: 0 };
  if (moment === 1) {
    if (!grid) return { ...plain, sums: keep(over("ReduceSum", real), channels) };
    const { scale, zero } = grid;
    const sums = keep(over("ReduceSum", codesOf(writer, real, grid, shape)), channels);
    return { ...plain, sums, unit: scale, offset: -zero * size * scale };
  }
  if (moment === 2) {
    const squares = add("Mul", [real, real], float(shape));
    return { ...plain, sums: keep(over("ReduceSum", squares), channels) };
  }
  // Eighth powers of numbers of 10⁵ are beyond float32: of x / max|x| they are not.
  const magnitude = add("Abs", [real], float(shape));
  const largest = over("ReduceMax", magnitude);
  const alone = shape.map((dim, index) => (index === axis ? dim : 1));
  const spread = add("Reshape", [largest, constant("int64", alone)], float(alone));
  const divisor = add("Max", [spread, constant("float32", [1e-30])], float(alone));
  let power = add("Div", [magnitude, divisor], float(shape));
  for (let times = 0; times < 3; times++) power = add("Mul", [power, power], float(shape));
  return { ...plain, sums: keep(over("ReduceSum", power), channels), largest: keep(largest, channels) };
}

/** The codes of the numbers, as numbers: rounded, and cut at the ends. */
function codesOf(
  { add, constant }: Writer,
  real: string,
  { dtype, scale, zero, bits }: Grid,
  shape: readonly number[],
): string {
  const [step, offset] = [constant("float32", [scale], []), constant(dtype, [zero], [])];
  const bound = (code: number): string => constant("float32", [(code - zero) * scale], []);
  const source = bits === 4 ? add("Clip", [real, bound(-8), bound(7)], float(shape)) : real;
  const codes = add("QuantizeLinear", [source, step, offset], { dtype, shape });
  return add("Cast", [codes], float(shape), { to: { i: FLOAT32 } });
}
