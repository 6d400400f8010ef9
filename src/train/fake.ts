/** A float graph that rounds as the quantized one will: QuantizeLinear and DequantizeLinear with scales that are learnt. */
import { renameReads } from "../ir/edit.ts";
import {
  type Attrs,
  attrs,
  type DType,
  elementCount,
  floatAttr,
  freshName,
  type Graph,
  type Node,
  type Quant,
  type Tensor,
} from "../ir/graph.ts";
import { encode, integerRange } from "../ir/numbers.ts";
import { float32, int64, valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { findOp } from "../ops/find.ts";

/** A weight of the float graph and what stores it. */
export interface FakeWeight {
  readonly name: string;
  /** The constant of the quantized graph that stands for it. */
  readonly stored: string;
  /** Values of the trained graph that hold its codes and scales. */
  readonly codes: string;
  readonly scale: string;
}

/** The mean and variance of each channel of what a convolution makes. */
export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** A BatchNormalization behind a convolution: names of its constants, by which it is folded in again. */
export interface Normalization {
  /** The convolution's place among the nodes of the float graph. */
  readonly index: number;
  readonly scale: string;
  readonly shift: string;
  readonly mean: string;
  readonly variance: string;
}

export interface FakeOptions {
  /** Of what convolutions make, by its name. */
  readonly moments?: ReadonlyMap<string, Moments>;
  /** Weights learn as parts of their channel's range, scales as parts of what they began as; unless said, as they are. */
  readonly relative?: boolean;
}

export interface FakeQuantized {
  readonly graph: Graph;
  readonly normalizations: readonly Normalization[];
  readonly weights: readonly FakeWeight[];
  /** What is stored in codes → the value that holds its scale. */
  readonly scales: ReadonlyMap<string, string>;
  /** Biases that are rounded → the value that is added. */
  readonly biases: ReadonlyMap<string, string>;
  /** Constants that move the scales: to be trained beside the weights. */
  readonly steps: readonly string[];
}

/** LSQ trains networks of 8 bits at a tenth of the rate of those with fewer: their scales are finer, their steps relatively larger. */
const rateOf = (high: number): number => (high > 7 ? 0.1 : 1);

const isWeight = ({ domain, op }: Node, at: number): boolean => findOp(domain, op)?.operands?.weights?.input === at;

/** The largest power of two that is not above x, and at least the smallest normal number: x without its mantissa's bits. */
function powerBelow(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0] = Math.max(bits[0] & 0x7f800000, 0x00800000);
  return new Float32Array(bits.buffer)[0];
}

const isLayer = ({ domain, op }: Node): boolean => domain === "" && (op === "Conv" || op === "Gemm");
/** Units of the accumulator: half of what codes of 16 bits hold, which leaves a bias room to grow. */
const MOST_BIAS = 2 ** 14;
/** Of the normalizations that are put in. */
export const EPSILON = 1e-5;
/** What running moments keep a step: some fifty batches count, and by then the rate has fallen. */
const KEPT = 0.98;
/** A scale may shrink to this part of what it began as. */
const LEAST = 1 / 64;

/**
 * Rounds in `graph` what `quantized` stores in codes; both have the same nodes in the same order, the latter with `quant` in
 * its types and constants (symmetric weights, a scale a channel or one). Gradients pass rounding straight through, and scales
 * learn by LSQ (Esser et al. 2020): a scale is s₀ + θ·(n·q)^(−¼), n the numbers that share it and q the largest code, so that a step
 * of θ by its gradient is one of s by LSQ's, whose factor is (n·q)^(−½). With `relative`, for optimizers whose steps have one size whatever
 * the gradient's: a weight is u·p, u the power of two below its channel's range, and a scale s₀·(1 + θ), or s₀·(1 + θ/10) in 8 bits; folded
 * normalizations leave channels of very unlike sizes, whose smallest would otherwise move by whole codes a step. Scales of 16 bits and of Softmax, which are so by definition,
 * and zero points stay. A convolution whose output's `moments` are given gets a BatchNormalization in the place of its bias that
 * changes nothing as it stands, but takes the batch's own moments in training.
 */
export function withFakeQuantization(
  graph: Graph,
  quantized: Graph,
  { moments = new Map(), relative = false }: FakeOptions = {},
): FakeQuantized {
  const names = namesOf(graph);
  const fresh = (hint: string): string => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const constants = new Map(graph.constants);
  const nodes: Node[] = [];
  const steps: string[] = [];
  const node = (op: string, inputs: readonly string[], output: string, set: Attrs = new Map()): string => {
    nodes.push({ op, domain: "", inputs, outputs: [output], attrs: set, origin: [output] });
    return output;
  };
  const constant = (hint: string, tensor: Tensor): string => {
    const name = fresh(hint);
    constants.set(name, tensor);
    return name;
  };

  /** The value that holds a scale; one that is learnt has a constant θ. */
  const scaleOf = (name: string, { scale, axis }: Quant, count: number, high: number, isLearnt: boolean): string => {
    const shape = axis === undefined ? [] : [scale.length];
    const first = constant(`${name}/scale`, float32(shape, scale));
    if (!isLearnt) return first;
    const step = constant(`${name}/scale-step`, float32(shape, new Float32Array(scale.length)));
    steps.push(step);
    const gains = relative
      ? float32(
          shape,
          scale.map((each) => each * rateOf(high)),
        )
      : float32([], [Math.sqrt(rateOf(high)) * (Math.max(1, count) * high) ** -0.25]);
    const gain = constant(`${name}/scale-gain`, gains);
    const least = constant(
      `${name}/scale-least`,
      float32(
        shape,
        scale.map((each) => each * LEAST),
      ),
    );
    const moved = node(
      "Add",
      [first, node("Mul", [step, gain], fresh(`${name}/scale-move`))],
      fresh(`${name}/scale-now`),
    );
    return node("Max", [moved, least], fresh(`${name}/scale-used`));
  };
  const zeroOf = (name: string, dtype: DType, { scale, axis, zeroPoint }: Quant): string => {
    const shape = axis === undefined ? [] : [scale.length];
    const all = zeroPoint.length === scale.length ? zeroPoint : new Int32Array(scale.length).fill(zeroPoint[0] ?? 0);
    return constant(`${name}/zero-point`, { dtype, shape, data: encode(dtype, all) });
  };
  const round = (real: string, scale: string, zero: string, output: string, codes: string, axis?: number): void => {
    const set = attrs({ axis: axis === undefined ? undefined : { i: axis } });
    node("QuantizeLinear", [real, scale, zero], codes, set);
    node("DequantizeLinear", [codes, scale, zero], output, set);
  };

  const weights = new Map<string, FakeWeight>();
  const replaced = new Map<string, string>();
  const raw = new Set(graph.nodes.flatMap((each) => each.inputs.filter((_, at) => !isWeight(each, at))));
  /** Where weights are relative: the constant becomes w/u, and this w again. u is a power of two, so that w is what it was. */
  const unitless = (name: string, tensor: Tensor, { scale, axis }: Quant, high: number): string => {
    const own = graph.constants.get(name) as Tensor;
    if (!relative || raw.has(name)) return name;
    const units = Float32Array.from(scale, (each) => powerBelow(each * high));
    const shape = tensor.shape.map((size, at) => (at === axis ? size : 1));
    const inner = axis === undefined ? elementCount(own.shape) : elementCount(own.shape.slice(axis + 1));
    const parts = Float32Array.from(
      valuesOf(own) as Float32Array,
      (value, at) => value / units[Math.floor(at / inner) % units.length],
    );
    constants.set(name, { ...own, data: parts });
    return node("Mul", [name, constant(`${name}/unit`, float32(shape, units))], fresh(`${name}/whole`));
  };
  /**
   * Codes are int8 whatever their bits, and the weights are clamped before: below −127 there is no weight in 8 bits, and ONNX Runtime
   * (1.30) may put booleans of the same shape into the memory of int4 codes, which is half as large.
   */
  const roundWeight = (name: string, stored: string, tensor: Tensor, quant: Quant): string => {
    const before = weights.get(stored);
    if (before) return replaced.get(stored) ?? before.name;
    const [least, high] = integerRange(tensor.dtype);
    const low = tensor.dtype === "int8" ? -high : least;
    const scale = scaleOf(name, quant, elementCount(tensor.shape) / quant.scale.length, high, true);
    const shape = tensor.shape.map((size, axis) => (axis === quant.axis ? size : 1));
    const spread = node(
      "Reshape",
      [scale, constant(`${name}/scale-shape`, int64([shape.length], shape))],
      fresh(`${name}/scale-spread`),
    );
    const bound = (hint: string, code: number): string =>
      node("Mul", [spread, constant(`${name}/${hint}-code`, float32([], [code]))], fresh(`${name}/${hint}`));
    const above = node("Max", [unitless(name, tensor, quant, high), bound("lowest", low)], fresh(`${name}/above`));
    const real = node("Min", [above, bound("highest", high)], fresh(`${name}/bounded`));
    const [codes, output] = [fresh(`${name}/codes`), fresh(`${name}/rounded`)];
    round(real, scale, zeroOf(name, "int8", quant), output, codes, quant.axis);
    weights.set(stored, { name, stored, codes, scale });
    replaced.set(stored, output);
    return output;
  };

  const shared = new Map<string, { scale: string; zero: string }>();
  const fixed = new Set(quantized.nodes.flatMap(({ op, outputs }) => (op === "Softmax" ? outputs : [])));
  const scales = new Map<string, string>();
  /** `isPositive`: nothing below 0 comes. */
  const roundValue = (name: string, real: string, output: string, isPositive = false): void => {
    const { dtype, quant, shape = [] } = quantized.types.get(name) ?? {};
    if (dtype === undefined || quant === undefined) return;
    // What only moves numbers has the quantization of what it moves, and goes on having it.
    const key = `${dtype} ${quant.scale} ${quant.zeroPoint} ${fixed.has(name) || dtype === "int16"}`;
    let found = shared.get(key);
    if (found === undefined) {
      const count = shape.slice(1).reduce((product: number, size) => product * Number(size), 1);
      const isLearnt = dtype !== "int16" && !fixed.has(name);
      found = {
        scale: scaleOf(name, quant, count, integerRange(dtype)[1], isLearnt),
        zero: zeroOf(name, dtype === "int4" ? "int8" : dtype, quant),
      };
      shared.set(key, found);
    }
    scales.set(name, found.scale);
    const { scale, zero } = found;
    const clamped = dtype === "int4" ? within16(name, real, scale, quant.zeroPoint[0], isPositive) : real;
    round(clamped, scale, zero, output, fresh(`${name}/codes`));
  };
  /** Within the codes −8 to 7, since codes of 4 bits are int8 here too. Where a bound is reached the scale learns from its code, as in LSQ. */
  const within16 = (name: string, real: string, scale: string, zero: number, isPositive: boolean): string => {
    const bound = (hint: string, code: number): string =>
      node("Mul", [scale, constant(`${name}/${hint}-code`, float32([], [code - zero]))], fresh(`${name}/${hint}`));
    const above = isPositive && zero === -8 ? real : node("Max", [real, bound("lowest", -8)], fresh(`${name}/above`));
    return node("Min", [above, bound("highest", 7)], fresh(`${name}/bounded`));
  };

  const biases = new Map<string, string>();
  /** Where values have 16 levels, what layers add is rounded as their accumulators count: a unit of these can be a good part of a code. */
  const isNarrow = [...quantized.types.values()].some(({ dtype, quant }) => dtype === "int4" && quant);
  const roundBias = (index: number): string => {
    const [x, w, bias] = quantized.nodes[index].inputs;
    const [weight, step] = [weights.get(w), scales.get(x)];
    const own = bias ? graph.constants.get(bias) : undefined;
    const units = quantized.constants.get(w)?.quant?.scale;
    const quant = quantized.types.get(x)?.quant;
    if (!isNarrow || !quant || !weight || !step || !own || !units || biases.has(bias)) return bias ?? "";
    const values = valuesOf(own) as Float32Array;
    const isPlain = ["alpha", "beta"].every((name) => floatAttr(quantized.nodes[index], name, 1) === 1);
    const fits = values.every((value, channel) => Math.abs(value) < MOST_BIAS * units[channel] * quant.scale[0]);
    if (!isPlain || values.length !== units.length || !fits) return bias;
    const unit = node("Mul", [step, weight.scale], fresh(`${bias}/unit`));
    const zero = constant(`${bias}/zero-point`, {
      dtype: "int16",
      shape: [units.length],
      data: new Int16Array(units.length),
    });
    const output = fresh(`${bias}/rounded`);
    round(bias, unit, zero, output, fresh(`${bias}/codes`), 0);
    biases.set(bias, output);
    return output;
  };

  const normalizations: Normalization[] = [];
  const normalize = (index: number, convolved: string, output: string, { mean, variance }: Moments): Normalization => {
    const bias = graph.nodes[index].inputs[2];
    const biases = bias ? (valuesOf(graph.constants.get(bias) as Tensor) as Float32Array) : undefined;
    const vector = (hint: string, values: ArrayLike<number>): string =>
      constant(`${output}/${hint}`, float32([values.length], values));
    const made = {
      scale: vector(
        "scale",
        variance.map((each) => Math.sqrt(each + EPSILON)),
      ),
      shift: vector("shift", mean),
      // The convolution is without its bias now.
      mean: vector(
        "mean",
        mean.map((each, channel) => each - (biases?.[channel] ?? 0)),
      ),
      variance: vector("variance", variance),
    };
    const inputs = [convolved, made.scale, made.shift, made.mean, made.variance];
    node("BatchNormalization", inputs, output, attrs({ epsilon: { f: EPSILON }, momentum: { f: KEPT } }));
    return { index, ...made };
  };
  const renamed = new Map<string, string>();
  for (const name of graph.inputs) {
    if (!quantized.types.get(name)?.quant) continue;
    const output = fresh(`${name}/rounded`);
    roundValue(name, name, output);
    renamed.set(name, output);
  }
  for (const [index, before] of graph.nodes.entries()) {
    const inputs = before.inputs.map((name, at) => {
      const stored = quantized.nodes[index].inputs[at];
      const tensor = name === "" ? undefined : quantized.constants.get(stored);
      if (tensor?.quant === undefined || !graph.constants.has(name)) return name;
      return isWeight(before, at) ? roundWeight(name, stored, tensor, tensor.quant) : name;
    });
    const outputs = before.outputs.map((name) =>
      name !== "" && quantized.types.get(name)?.quant ? fresh(`${name}/real`) : name,
    );
    const found = moments.get(before.outputs[0]);
    if (found === undefined) {
      const added = isLayer(before) && inputs.length > 2 ? inputs.with(2, roundBias(index)) : inputs;
      nodes.push(renameReads({ ...before, inputs: added, outputs }, renamed));
    } else {
      const [output] = outputs;
      const convolved = fresh(`${output}/convolved`);
      nodes.push(renameReads({ ...before, inputs: inputs.slice(0, 2), outputs: [convolved] }, renamed));
      normalizations.push(normalize(index, convolved, output, found));
    }
    for (const [at, real] of outputs.entries()) {
      if (real !== before.outputs[at]) roundValue(before.outputs[at], real, before.outputs[at], before.op === "Relu");
    }
  }
  const types = new Map([...graph.types].filter(([name]) => graph.inputs.includes(name)));
  return {
    graph: { ...graph, nodes, constants, types },
    normalizations,
    weights: [...weights.values()],
    ...{ scales, biases, steps },
  };
}
