/** Small random graphs of the chip's operators, with every variant of the post stage and extreme codes. */
import {
  type Attr,
  attrs,
  type DType,
  elementCount,
  type Graph,
  makeGraph,
  type Tensor,
  type TypedArray,
} from "../../src/ir/graph.ts";
import { allocate, makeTensor } from "../../src/ir/tensor.ts";
import { inferTypes } from "../../src/ops/infer.ts";

export interface Case {
  readonly graph: Graph;
  readonly feeds: Map<string, Tensor>;
}

/** Draws from one seeded stream. */
export interface Draw {
  /** In [low, high]. */
  int(low: number, high: number): number;
  pick<T>(list: readonly T[]): T;
  maybe(): boolean;
}

export function drawFrom(random: () => number): Draw {
  const int = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  return { int, pick: (list) => list[int(0, list.length - 1)], maybe: () => random() < 0.5 };
}

const RANGES: Record<string, readonly [number, number]> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** Random codes; now and then only the extremes, or all alike. */
export function codes(draw: Draw, dtype: DType, shape: readonly number[], low?: number, high?: number): Tensor {
  const [least, most] = [low ?? RANGES[dtype][0], high ?? RANGES[dtype][1]];
  const data = allocate(dtype, elementCount(shape)) as Int32Array;
  const style = draw.int(0, 5);
  for (let index = 0; index < data.length; index++) {
    data[index] = style === 0 ? draw.pick([least, most]) : style === 1 ? most : draw.int(least, most);
  }
  return makeTensor(dtype, shape, data as TypedArray);
}

export type Variant = "tosa-single" | "tosa-double" | "ort-f32-rne" | "wide";

/** A node under construction: its inputs by name, constants among them. */
export interface Build {
  readonly op: string;
  readonly feeds: Record<string, Tensor>;
  readonly inputs: readonly (string | Tensor | undefined)[];
  readonly attributes: Record<string, Attr | undefined>;
}

export function build({ op, feeds, inputs, attributes }: Build): Case {
  const constants = new Map<string, Tensor>();
  const names = inputs.map((input, index) => {
    if (input === undefined) return "";
    if (typeof input === "string") return input;
    constants.set(`c${index}`, input);
    return `c${index}`;
  });
  while (names[names.length - 1] === "") names.pop();
  const node = { op, domain: "npu", inputs: names, outputs: ["y"], attrs: attrs(attributes), origin: [op] };
  const types = new Map(Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const graph = inferTypes(makeGraph({ inputs: [...types.keys()], outputs: ["y"], nodes: [node], constants, types }));
  return { graph, feeds: new Map(Object.entries(feeds)) };
}

/** The post stage's inputs, and the attributes that go with them, for accumulators up to `reach`. */
export function post(
  draw: Draw,
  channels: number,
  reach: number,
  options: { variant?: Variant; table?: boolean } = {},
) {
  const variant = options.variant ?? draw.pick<Variant>(["tosa-single", "tosa-double", "ort-f32-rne"]);
  const table = (options.table ?? draw.int(0, 2) === 0) ? curve(draw) : undefined;
  const dtype = draw.pick(["int8", "int8", "int16"] as const);
  const range = table || dtype === "int16" ? 40000 : 200;
  const count = draw.maybe() ? channels : 1;
  const [multipliers, shifts] = [[] as number[], [] as number[]];
  for (let channel = 0; channel < count; channel++) {
    const real = (range / Math.max(reach, 1)) * (0.3 + draw.int(0, 100) / 60);
    if (variant === "ort-f32-rne") multipliers.push(draw.maybe() ? real : 2 ** Math.round(Math.log2(real)));
    else {
      const bits = variant === "wide" ? 15 : 31;
      const shift = Math.min(62, Math.max(2, bits - 1 - Math.floor(Math.log2(real))));
      multipliers.push(Math.min(2 ** bits - 1, Math.max(0, Math.round(real * 2 ** shift))));
      shifts.push(shift);
    }
  }
  const [least, most] = RANGES[dtype];
  const zero = dtype === "int8" ? draw.int(-128, 127) : 0;
  const low = draw.maybe() ? least : Math.min(zero, most - 1);
  const attributes: Record<string, Attr | undefined> = {
    y_dtype: { s: dtype },
    y_zero: { i: zero },
    y_min: { i: low },
    y_max: { i: draw.maybe() ? most : draw.int(low, most) },
    round: variant === "wide" ? undefined : { s: variant },
    wide: variant === "wide" ? { i: 1 } : undefined,
  };
  const multiplier =
    variant === "ort-f32-rne"
      ? makeTensor("float32", [count], Float32Array.from(multipliers))
      : makeTensor("int32", [count], Int32Array.from(multipliers));
  const shift = makeTensor("int32", [count], Int32Array.from(shifts.length > 0 ? shifts : multipliers.map(() => 31)));
  if (!table) return { inputs: [multiplier, shift, undefined, undefined, undefined] as const, attributes };
  return { inputs: [multiplier, shift, table, ...tableScale(draw, channels)] as const, attributes };
}

/** table_multiplier and table_shift: one for all channels or one each, now and then with a dead channel or a small shift. */
function tableScale(draw: Draw, channels: number): [Tensor, Tensor] {
  const count = draw.maybe() ? channels : 1;
  const usual = draw.maybe();
  const data = Int32Array.from({ length: count }, () =>
    draw.int(0, 9) === 0 ? 0 : draw.int(usual ? 2 ** 30 : 1, 2 ** 31 - 1),
  );
  const shifts = Int32Array.from({ length: count }, () => draw.pick(usual ? [32, 35, 39, 40, 62] : [27, 31, 39, 52]));
  return [makeTensor("int32", [count], data), makeTensor("int32", [count], shifts)];
}

/** 513 samples of a smooth curve or of noise. */
function curve(draw: Draw): Tensor {
  const noise = draw.maybe();
  const slope = draw.int(-128, 127);
  const data = Int16Array.from({ length: 513 }, (_, index) =>
    noise ? draw.int(-32768, 32767) : Math.max(-32768, Math.min(32767, (index - 256) * slope)),
  );
  return makeTensor("int16", [513], data);
}
