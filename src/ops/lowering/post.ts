import { CompileError } from "../../error.ts";
import type { Attr, Quant } from "../../ir/graph.ts";
import { makeTensor } from "../../ir/tensor.ts";
import type { Code, LoweringContext, Riding } from "../integer.ts";
import { multiplierOf } from "./multiplier.ts";

/** Segments of an interpolated 16-bit table: 512, so 513 knots, 128 codes apart. */
export const TABLE_KNOTS = 513;

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  int16: [-32768, 32767],
  uint8: [0, 255],
};

/** The least and the largest code that may be stored. */
export function codeRange({ dtype, bits }: Pick<Code, "dtype" | "bits">): readonly [number, number] {
  const range = bits === 4 ? NIBBLE : RANGES[dtype];
  if (!range) throw new Error(`bug: ${dtype} is not an activation type`);
  return range;
}

const NIBBLE = [-8, 7] as const;

export function scaleOf(code: { readonly quant?: Quant; readonly name: string }): number {
  if (!code.quant) throw new Error(`bug: ${code.name} has no quantization`);
  return code.quant.scale[0];
}

export function zeroOf(code: { readonly quant?: Quant }): number {
  return code.quant?.zeroPoint[0] ?? 0;
}

/** Largest |code − zero point| that the type allows. */
export function reachOf(code: Code): number {
  const [low, high] = codeRange(code);
  const zero = zeroOf(code);
  return Math.max(zero - low, high - zero);
}

export interface PostStage {
  /** multiplier, shift and, where one rides, the table with its own multiplier and shift: the node's last inputs. */
  readonly inputs: readonly string[];
  readonly attrs: Readonly<Record<string, Attr | undefined>>;
}

/**
 * The post stage of docs/integer-semantics.md for an accumulator whose unit is worth `units[c]` reals in channel c.
 * `limit` is a bound on the accumulator's magnitude, proven from weights and code ranges; a stage that could overflow is
 * refused, never wrapped.
 */
export function postStage(
  context: LoweringContext,
  units: readonly number[],
  limit: number,
  wide: boolean,
  output = context.output(0),
): PostStage {
  checkLimit(context, limit, wide);
  const [low, high] = codeRange(output);
  const scale = scaleOf(output);
  const zero = zeroOf(output);
  const { riding } = context;
  const common: Record<string, Attr | undefined> = {
    y_dtype: { s: output.dtype },
    y_zero: { i: zero },
    y_min: { i: low },
    y_max: { i: high },
    wide: wide ? { i: 1 } : undefined,
    round: context.round === "tosa-single" || wide ? undefined : { s: context.round },
  };
  if (riding?.kind === "table") {
    const preScale = riding.range / 32767;
    const gains = riding.gains ?? Float64Array.of(1);
    const least = gains.reduce((a, b) => Math.min(a, b));
    const { knots, unit } = sampleTable(riding.apply, preScale, (2 * scale * reachOf(output)) / least);
    const table = context.add(makeTensor("int16", [TABLE_KNOTS], knots), `${output.name}/table`);
    const worth = Array.from(gains, (gain) => unit * gain);
    const rescale = integers(context, worth, scale, 31, `${output.name}/table`);
    return { inputs: [...constants(context, units, preScale, wide), table, ...rescale], attrs: common };
  }
  const clamp = riding && { low: toCode(riding.low, scale, zero), high: toCode(riding.high, scale, zero) };
  return {
    inputs: constants(context, gained(units, riding), scale, wide),
    attrs: {
      ...common,
      y_min: { i: clamp ? Math.min(high, Math.max(low, clamp.low)) : low },
      y_max: { i: clamp ? Math.min(high, Math.max(low, clamp.high)) : high },
    },
  };
}

/**
 * What the accumulator's units are worth behind a clamp's gains. Channels' own gains come after the clamp, which is the same
 * as before it where it bounds at 0 or not at all; other bounds would be a channel's own (src/quant/groups.ts makes a table).
 */
function gained(units: readonly number[], riding: Riding | undefined): readonly number[] {
  if (riding?.kind !== "clamp") return units;
  const { gain = 1, gains } = riding;
  const plain = (bound: number) => bound === 0 || !Number.isFinite(bound);
  if (gains && !(plain(riding.low) && plain(riding.high))) throw new Error("bug: gains follow a clamp within bounds");
  if (!gains) return gain === 1 ? units : units.map((unit) => unit * gain);
  return Array.from(gains, (own, channel) => units[units.length === 1 ? 0 : channel] * gain * own);
}

function toCode(real: number, scale: number, zero: number): number {
  if (real === -Infinity || real === Infinity) return real;
  return Math.round(real / scale) + zero;
}

function checkLimit(context: LoweringContext, limit: number, wide: boolean): void {
  const bits = wide ? 39 : context.accumulatorBits;
  if (limit < 2 ** (bits - 1)) return;
  throw new CompileError(
    "model/accumulator-overflow",
    `the sum can reach ±${limit}, beyond a ${bits}-bit accumulator`,
    {
      where: `node ${context.node.origin[0] ?? context.node.outputs[0]}`,
      remedy: "use int8 activations for this node, or split its reduction",
    },
  );
}

/** multiplier and shift constants for units/scale; one element where all channels agree. */
function constants(context: LoweringContext, units: readonly number[], scale: number, wide: boolean): string[] {
  const same = units.every((unit) => unit === units[0]);
  const list = same ? units.slice(0, 1) : units;
  const hint = context.output(0).name;
  if (context.round === "ort-f32-rne" && !wide) {
    const factors = Float32Array.from(list, (unit) => Math.fround(Math.fround(unit) / Math.fround(scale)));
    const multiplier = context.add(makeTensor("float32", [list.length], factors), `${hint}/multiplier`);
    return [multiplier, context.add(makeTensor("int32", [list.length], new Int32Array(list.length)), `${hint}/shift`)];
  }
  return integers(context, list, scale, wide ? 15 : 31, hint);
}

/** multiplier and shift of units/scale, an element a unit. */
function integers(
  context: LoweringContext,
  units: readonly number[],
  scale: number,
  bits: 31 | 15,
  hint: string,
): string[] {
  const pairs = units.map((unit) => multiplierOf(unit / scale, bits));
  const constant = (name: string, values: readonly number[]) =>
    context.add(makeTensor("int32", [values.length], Int32Array.from(values)), `${hint}/${name}`);
  return [
    constant(
      "multiplier",
      pairs.map((pair) => pair.multiplier),
    ),
    constant(
      "shift",
      pairs.map((pair) => pair.shift),
    ),
  ];
}

/**
 * f on the 513 knots of an int16 range of scale `preScale`, as int16 codes; `unit` is what one code is worth. Values beyond
 * `limit` saturate, so that a function that grows past the output (eˣ) leaves the codes to what can be stored. Callers
 * give twice the output's reach: the chord across its end then keeps its slope.
 */
export function sampleTable(
  apply: (x: number) => number,
  preScale: number,
  limit = Number.POSITIVE_INFINITY,
): { knots: Int16Array; unit: number } {
  const values = new Float64Array(TABLE_KNOTS);
  let largest = 0;
  for (let index = 0; index < TABLE_KNOTS; index++) {
    values[index] = Math.min(limit, Math.max(-limit, apply((index * 128 - 32768) * preScale)));
  }
  settle(values);
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const unit = largest === 0 ? 1 : largest / 32767;
  return { knots: Int16Array.from(values, (value) => Math.round(value / unit)), unit };
}

/** Poles (1/0, log 0) take the nearest finite neighbour: a table cannot say infinity, and its side knows the sign. */
function settle(values: Float64Array): void {
  let last = Number.NaN;
  for (let index = values.length - 1; index >= 0; index--) {
    if (Number.isFinite(values[index])) last = values[index];
    else if (!Number.isNaN(values[index])) values[index] = last;
  }
  last = 0;
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(values[index])) last = values[index];
    else values[index] = last;
  }
}

/** f on all 256 int8 codes of `input`, as codes of `output`. */
export function sampleCodes(apply: (x: number) => number, input: Code, output: Code): Int8Array | Int16Array {
  const [low, high] = codeRange(output);
  const scale = scaleOf(output);
  const zero = zeroOf(output);
  const codes = output.dtype === "int16" ? new Int16Array(256) : new Int8Array(256);
  const values = Float64Array.from(codes, (_, index) => apply((index - 128 - zeroOf(input)) * scaleOf(input)));
  settle(values);
  for (let index = 0; index < 256; index++) {
    const code = Math.round(values[index] / scale) + zero;
    codes[index] = Math.min(high, Math.max(low, code));
  }
  return codes;
}
