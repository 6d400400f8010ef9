import { quantize } from "../ir/codes.ts";
import { type DType, type Graph, intAttr, type Node, type Quant, type Tensor, type Type, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { countUses, readsOf } from "../ir/uses.ts";
import { findOp } from "../ops/find.ts";
import { linearOutputs } from "./bias.ts";
import { cachesOf, canPack } from "./caches.ts";
import { classHistogram, classRange } from "./class-ranges.ts";
import { type ValueClass, valueClasses } from "./classes.ts";
import { ACTIVATION_FORMATS, type ActivationFormat, type WeightPlan } from "./format.ts";
import { ARRAY } from "./formats.ts";
import { fusionGroups, isReal } from "./groups.ts";
import type { Histogram } from "./histogram.ts";
import type { Wanted } from "./probe.ts";
import { quantInt4, quantOf, type Range, type RangeRule } from "./ranges.ts";
import { quantizeWeights, quantizeWeightsAs } from "./weights.ts";

export interface Plan {
  readonly calibrator: RangeRule;
  readonly percentile: number;
  /** Ranges that are decided already, by the first member of their class. */
  readonly ranges?: ReadonlyMap<string, Range>;
  readonly activations: ActivationFormat;
  /** Stored as int16 whatever the rule: value names, or teacher nodes' names (their outputs). */
  readonly int16: ReadonlySet<string>;
  /** Stored as int8 where the rule says int16, but neither `int16` nor what they are does. */
  readonly int8: ReadonlySet<string>;
  /** Stored as int4 where neither `int16` nor `int8` nor what they are says otherwise. */
  readonly int4: ReadonlySet<string>;
  /** How the weights of a node are stored and rounded. */
  readonly weights: (node: Node) => WeightPlan;
  /** Bits of caches; absent: 8. */
  readonly cache?: "int8" | "int4";
  /** The graph's outputs and what only a Softmax or a graph output reads: int16 unless told otherwise. */
  readonly outputs: "int8" | "int16";
}

/**
 * What calibration must see: the numbers of each class of stored values where they are new; and the extremes of what a
 * linear operator holds before a function rides on it. What is only moved, or never stored, has no range of its own.
 */
export function valuesToObserve(graph: Graph): Pick<Wanted, "values" | "extremes"> {
  const groups = [...fusionGroups(graph).byAnchor.values()];
  const classes = valueClasses(graph, new Set(groups.flatMap(({ hidden }) => hidden)));
  const wide = new Set([...groups.map(({ inner }) => inner), ...linearOutputs(graph).map(({ value }) => value)]);
  const roots = new Set([...new Set(classes.values())].flatMap((entry) => entry.roots));
  const names = [...graph.inputs, ...graph.nodes.flatMap((node) => node.outputs)];
  const real = names.filter((name) => isReal(typeOf(graph, name)));
  return {
    values: real.filter((name) => roots.has(name)),
    extremes: real.filter((name) => wide.has(name) && !roots.has(name)),
  };
}

/**
 * Decides how every real value is stored and quantizes the weights: the graph stays the float graph, its types say what
 * its numbers will be rounded to. Values that already carry a quantization (a model that came quantized) keep it.
 */
export function annotate(graph: Graph, histograms: ReadonlyMap<string, Histogram>, plan: Plan): Graph {
  const groups = fusionGroups(graph);
  const types = new Map(graph.types);
  const constants = new Map(graph.constants);
  const uses = countUses(graph);
  const readers = readersOf(graph);
  const packed = new Set(packedCaches(graph, plan));
  for (const { entry, dtype, given } of storedClasses(graph, plan)) {
    const decided = plan.ranges?.get(entry.members[0]);
    const four = () => quantInt4(classHistogram(entry, graph, histograms));
    const rangeOf = () =>
      classRange(classHistogram(entry, graph, histograms), plan.calibrator, plan.percentile, formatOf(dtype));
    const quant =
      given ?? (entry.members.some((name) => packed.has(name)) ? four() : quantOf(decided ?? rangeOf(), dtype));
    for (const name of entry.members) {
      const constant = constants.get(name);
      if (constant) constants.set(name, constant.quant ? constant : stored(quantize(constant, dtype, quant)));
      else types.set(name, { ...(types.get(name) as Type), dtype, quant });
    }
  }
  for (const node of graph.nodes) fixSoftmax(node, graph, types, readers, uses);
  const annotated = { ...graph, types, constants };
  const gains = [...groups.byAnchor.values()].flatMap(({ riding, activations }) =>
    riding.gains ? activations.slice(-1) : [],
  );
  return quantizeConstants(annotated, graph, new Set(gains), plan);
}

const formatOf = (dtype: DType): ActivationFormat => ACTIVATION_FORMATS.find((format) => format === dtype) ?? "int8";

/** Codes of 4 bits take a byte each among activations. */
function stored(tensor: Tensor): Tensor {
  if (tensor.dtype !== "int4") return tensor;
  return { ...tensor, dtype: "int8", data: Int8Array.from(decode(tensor) as ArrayLike<number>) };
}

/** A class of values with how it is stored; `given` where the model came with a quantization of it. */
export interface StoredClass {
  readonly entry: ValueClass;
  readonly dtype: DType;
  readonly given?: Quant;
}

/** The classes of values that are stored, in the order of the graph, with the type of each. */
export function storedClasses(graph: Graph, plan: Plan): StoredClass[] {
  const hidden = new Set([...fusionGroups(graph).byAnchor.values()].flatMap((group) => group.hidden));
  const readers = readersOf(graph);
  const wide = wideWishes(graph, plan);
  return [...new Set(valueClasses(graph, hidden).values())].map((entry) => {
    const type = entry.members.map((name) => typeOf(graph, name)).find((found) => found?.quant);
    if (type?.quant) return { entry, dtype: type.dtype, given: type.quant };
    return { entry, dtype: dtypeOf(entry, graph, plan, readers, wide) };
  });
}

/** Who reads each value, in the order of the graph. */
export function readersOf(graph: Graph): Map<string, Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  return readers;
}

/**
 * Values that would rather be int16: graph outputs, arguments that span decades, and what element-wise operators make
 * these of. A wish ends at the array, whose accumulator has all the bits, and is not granted to what feeds the array.
 */
function wideWishes(graph: Graph, plan: Plan): Set<string> {
  const wishes = new Set(plan.outputs === "int16" ? graph.outputs : []);
  for (const node of graph.nodes.toReversed()) {
    const op = findOp(node.domain, node.op);
    const own = op?.wantsWide === true;
    const passes = op?.passesThrough === true || op?.carries === true || op?.riding !== undefined;
    const inherited = node.outputs.some((name) => wishes.has(name)) && passes && !ARRAY.has(node.op);
    if (!own && !inherited) continue;
    if (node.outputs.some((name) => graph.outputs.includes(name)) && !own && !op?.passesThrough) continue;
    for (const name of node.inputs) if (name && !graph.constants.has(name)) wishes.add(name);
  }
  return wishes;
}

function dtypeOf(
  entry: ValueClass,
  graph: Graph,
  plan: Plan,
  readers: ReadonlyMap<string, Node[]>,
  wide: ReadonlySet<string>,
): ActivationFormat {
  if (entry.members.some((name) => plan.int16.has(name))) return "int16";
  // A state is summed into at every step: 8 bits would round it away. A cache only has rows replaced.
  const caches = new Set(cachesOf(graph).map(({ state }) => state));
  if ([...caches].some(({ input }) => entry.members.includes(input))) return "int8";
  const isIn = (names: ReadonlySet<string>) => entry.members.some((name) => names.has(name));
  const asked = isIn(plan.int8) ? "int8" : isIn(plan.int4) ? "int4" : plan.activations;
  if (asked === "int16") return "int16";
  const summed = graph.states.filter((state) => !caches.has(state));
  if (summed.some((state) => entry.members.includes(state.input))) return "int16";
  const feedsArray = entry.members.some((name) => readers.get(name)?.some((node) => ARRAY.has(node.op)));
  if (!feedsArray) return isIn(wide) ? "int16" : "int8";
  return asked === "int4" && mayNarrow(entry, graph) ? "int4" : "int8";
}

/** The model's own inputs and outputs keep 8 bits or more, and a Softmax's results have a scale that is theirs by definition. */
function mayNarrow({ members }: ValueClass, graph: Graph): boolean {
  const outer = new Set([...graph.inputs, ...graph.outputs]);
  const shares = graph.nodes.flatMap(({ op, outputs }) => (op === "Softmax" ? outputs : []));
  return !members.some((name) => outer.has(name) || shares.includes(name));
}

/** States of 4 bits: caches whose rows fill whole bytes, and that came with no quantization of their own. Names of their inputs. */
export function packedCaches(graph: Graph, { cache }: Pick<Plan, "cache">): string[] {
  if (cache !== "int4") return [];
  const free = cachesOf(graph).filter((each) => canPack(graph, each) && !typeOf(graph, each.state.input)?.quant);
  return free.map(({ state }) => state.input);
}

/** Softmax's results have a scale by definition; before a product they stay unnormalised (docs/integer-semantics.md). */
function fixSoftmax(
  node: Node,
  graph: Graph,
  types: Map<string, Type>,
  readers: ReadonlyMap<string, Node[]>,
  uses: ReadonlyMap<string, number>,
): void {
  if (node.op !== "Softmax" || node.domain !== "") return;
  const name = node.outputs[0];
  const type = types.get(name);
  if (!type) return;
  const all = readers.get(name) ?? [];
  const rank = type.shape?.length ?? 0;
  const axis = intAttr(node, "axis", -1);
  const last = axis === -1 || axis === rank - 1;
  const product = all.length === 1 && uses.get(name) === 1 && all[0].op === "MatMul" && all[0].inputs[0] === name;
  const one = (scale: number, zero: number) => ({ scale: Float32Array.of(scale), zeroPoint: Int32Array.of(zero) });
  if (product && last && !graph.constants.has(all[0].inputs[1])) {
    types.set(name, { ...type, dtype: "uint8", quant: one(1 / 255, 0) });
  } else if (type.dtype === "int16") types.set(name, { ...type, quant: one(2 ** -15, 0) });
  else types.set(name, { ...type, dtype: "int8", quant: one(2 ** -8, -128) });
}

/**
 * Weights: as the plan says, with a scale a channel. Other real constants that are operands: int8 a single number, int16 otherwise. Those of `gains` go
 * into multipliers and stay as they are.
 */
function quantizeConstants(graph: Graph, before: Graph, gains: ReadonlySet<Node>, plan: Plan): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node) => {
    const op = findOp(node.domain, node.op);
    if (!op?.integer || gains.has(node)) return node;
    const { data, weights } = op.operands ?? { data: node.inputs.map((_, index) => index), weights: undefined };
    let inputs = node.inputs;
    for (const index of data) {
      const name = node.inputs[index];
      const tensor = name ? before.constants.get(name) : undefined;
      if (!name || !tensor || tensor.quant || !isReal({ dtype: tensor.dtype })) continue;
      if (constants.get(name)?.quant && weights?.input !== index) continue;
      const axis = weights?.input === index ? weights.axis(node, tensor.shape.length) : undefined;
      const stored = plan.weights(node);
      const role = weights?.input === index ? `weights${axis}${stored.weights === "int4" ? "/int4" : ""}` : "operand";
      // One tensor may be weights here and an operand there: each role has codes of its own.
      const made = `${name}/${role}`;
      if (!constants.has(made)) {
        constants.set(
          made,
          role === "operand" ? quantizeOperand(tensor) : quantizeWeightsAs(real(tensor), axis, stored),
        );
      }
      inputs = inputs.map((input, at) => (at === index ? made : input));
    }
    return inputs === node.inputs ? node : { ...node, inputs };
  });
  // What the host computes beside quantized values reads them as float32: so must its constants be.
  for (const [name, tensor] of constants) {
    if (!tensor.quant && tensor.dtype !== "float32" && isReal(tensor)) constants.set(name, real(tensor));
  }
  const used = new Set(nodes.flatMap(readsOf));
  for (const name of constants.keys()) if (!used.has(name) && !graph.outputs.includes(name)) constants.delete(name);
  return { ...graph, nodes, constants };
}

function real(tensor: Tensor): Tensor {
  if (tensor.dtype === "float32") return tensor;
  return { dtype: "float32", shape: tensor.shape, data: Float32Array.from(decode(tensor) as ArrayLike<number>) };
}

/** Beyond this a number means "without bound"; it gets the last code, whatever the scale. */
const BOUNDLESS = 1e30;

function quantizeOperand(tensor: Tensor): Tensor {
  const values = real(tensor);
  const list = values.data as Float32Array;
  let reach = 0;
  for (const value of list) if (Math.abs(value) < BOUNDLESS) reach = Math.max(reach, Math.abs(value));
  if (list.length === 1 && Math.abs(list[0]) === reach) return quantizeWeights(values, undefined);
  return quantize(values, "int16", quantOf({ low: -reach, high: reach }, "int16"));
}
