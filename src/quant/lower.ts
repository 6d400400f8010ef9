import { CompileError } from "../error.ts";
import { quantize } from "../ir/codes.ts";
import { renameReads } from "../ir/edit.ts";
import {
  elementCount,
  freshName,
  type Graph,
  isStatic,
  attrs as makeAttrs,
  type Node,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { bytesOf, makeTensor } from "../ir/tensor.ts";
import { namesOf, readsOf } from "../ir/uses.ts";
import { findOp } from "../ops/find.ts";
import type { Code, Emission, LoweringContext, Riding } from "../ops/integer.ts";
import { multiplierOf } from "../ops/lowering/multiplier.ts";
import type { Op } from "../ops/op.ts";
import { fusionGroups, type Group, isReal } from "./groups.ts";
import type { Range } from "./ranges.ts";

export interface LowerOptions {
  /** Requantization mode of the target. */
  readonly round: string;
  /** Accumulator width of the target. */
  readonly accumulatorBits: number;
  /** Calibrated range of each value that lives in an accumulator only, and of divisors. */
  readonly ranges: ReadonlyMap<string, Range>;
}

export interface Unlowered {
  readonly node: Node;
  /** Why the chip has no way to compute it. */
  readonly reason: string;
}

/** The annotated graph said with `npu` operators. Nodes that have no integer form stay, and are listed with the reason. */
export function lowerToInteger(graph: Graph, options: LowerOptions): { graph: Graph; left: Unlowered[] } {
  const groups = fusionGroups(graph);
  const state = new Emitter(graph);
  const left: Unlowered[] = [];
  for (const node of graph.nodes) {
    if (groups.riders.has(node)) continue;
    const group = groups.byAnchor.get(node);
    const reason = state.lower(node, group, options);
    if (reason === undefined) continue;
    left.push({ node, reason });
    state.keep(node);
    for (const rider of group?.activations ?? []) state.keep(rider);
  }
  return { graph: state.finish(), left };
}

class Emitter {
  private readonly nodes: Node[] = [];
  private readonly types: Map<string, Type>;
  private readonly constants: Map<string, Tensor>;
  private readonly names: Set<string>;
  private readonly shared = new Map<string, string>();
  private readonly sharedData = new Map<unknown, string>();
  private readonly graph: Graph;
  /** Values of 4 bits, which are stored as int8. */
  private readonly narrow: ReadonlySet<string>;
  /** Of the model's inputs in 4 bits, what the graph reads instead. */
  private readonly clamped = new Map<string, string>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.narrow = new Set([...graph.types].flatMap(([name, type]) => (isNarrow(type) ? [name] : [])));
    this.types = new Map([...graph.types].map(([name, type]) => [name, isNarrow(type) ? inBytes(type) : type]));
    this.constants = new Map(graph.constants);
    this.names = namesOf(graph);
    const states = new Set(graph.states.map(({ input }) => input));
    for (const name of graph.inputs) {
      // Whoever feeds it writes int8; a state is written by the graph.
      if (this.narrow.has(name) && !states.has(name)) this.clamped.set(name, this.clamp(name, undefined, []));
    }
  }

  /** What the host makes of 4 bits is int8 until it is clamped. */
  keep(node: Node): void {
    const outputs = node.outputs.map((name) => {
      if (!this.narrow.has(name) || !isStatic(this.types.get(name)?.shape)) return name;
      const made = this.fresh(`${name}/wide`);
      this.types.set(made, this.types.get(name) as Type);
      return made;
    });
    this.nodes.push(renameReads({ ...node, outputs }, this.clamped));
    outputs.forEach((made, index) => {
      if (made !== node.outputs[index]) this.clamp(made, node.outputs[index], node.origin);
    });
  }

  /** Codes of the same scale within [−8, 7]. */
  private clamp(from: string, to: string | undefined, origin: readonly string[]): string {
    const type = this.types.get(from) as Type & { shape: readonly number[] };
    const zero = { i: type.quant?.zeroPoint[0] ?? 0 };
    const one = multiplierOf(1, 31);
    const constant = (hint: string, value: number): string =>
      this.add(makeTensor("int32", [1], Int32Array.of(value)), `${from}/${hint}`);
    const inputs = [from, constant("multiplier", one.multiplier), constant("shift", one.shift)];
    const attrs = { x_zero: zero, y_zero: zero, y_min: { i: -8 }, y_max: { i: 7 }, y_dtype: { s: "int8" } };
    return this.emit({ op: "Rescale", inputs, attrs, type, name: to ?? this.fresh(`${from}/clamped`) }, origin);
  }

  private fresh(hint: string): string {
    const name = freshName(hint, this.names);
    this.names.add(name);
    return name;
  }

  /** Emits a node's integer form; on refusal nothing of it stays and the reason is returned. */
  lower(node: Node, group: Group | undefined, options: LowerOptions): string | undefined {
    const op = findOp(node.domain, node.op);
    if (node.domain === "npu") return this.keep(node) as undefined;
    const outputs = group ? [group.output] : node.outputs;
    const unready = this.readiness(node, outputs);
    if (!op?.integer) return op?.hostOnly ?? `${node.op} has no integer form on this chip`;
    const reason = unready ?? this.unfit(node, op);
    if (reason) return reason;
    const origin = group
      ? [...new Set([node, ...group.activations].flatMap((each) => each.origin))].sort()
      : node.origin;
    const mark = this.nodes.length;
    const refused = attempt(() => op.integer?.(this.context(node, outputs, origin, group, options)));
    if (refused !== undefined) this.nodes.length = mark;
    return refused;
  }

  private readiness(node: Node, outputs: readonly string[]): string | undefined {
    for (const name of [...node.inputs, ...outputs]) {
      if (name === "") continue;
      const type = typeOf(this.graph, name);
      if (type?.container) return "it works on sequences or optionals";
      if (!isStatic(type?.shape)) return `the shape of "${name}" is not known before it runs`;
      if (elementCount(type.shape) === 0 && !this.constants.has(name)) {
        throw new CompileError("model/empty-value", `"${name}" has the shape [${type.shape}]: it holds nothing`, {
          where: `node ${node.origin[0] ?? node.op}`,
          remedy: "bind the inputs to shapes at which every value holds something",
        });
      }
    }
    return outputs.every((name) => name === "" || typeOf(this.graph, name)?.quant || !isReal(typeOf(this.graph, name)))
      ? undefined
      : "its output was not quantized";
  }

  /** Counting in int64 or bool is the host's work: the chip computes with quantized numbers, and moves what it can store. */
  private unfit(node: Node, op: Op): string | undefined {
    // A Cast knows itself which integers it takes.
    if (node.op === "Cast") return undefined;
    const moves = (op.passesThrough === true && node.op !== "MaxPool") || node.op === "Concat";
    for (const index of op.operands?.data ?? node.inputs.keys()) {
      const name = node.inputs[index];
      const type = name ? (this.constants.get(name) ?? this.types.get(name)) : undefined;
      if (!type || type.quant || (moves && STORED.has(type.dtype))) continue;
      if (isReal(type)) return `"${name}" was not quantized`;
      return moves ? `it moves ${type.dtype}, which the chip does not store` : `it computes with ${type.dtype}`;
    }
    return undefined;
  }

  private context(
    node: Node,
    outputs: readonly string[],
    origin: readonly string[],
    group: Group | undefined,
    options: LowerOptions,
  ): LoweringContext {
    return {
      node,
      round: options.round,
      accumulatorBits: options.accumulatorBits,
      input: (index) => this.codeOf(node.inputs[index]),
      constant: (index) => {
        const name = node.inputs[index];
        return name ? this.constants.get(name) : undefined;
      },
      range: (index) => options.ranges.get(node.inputs[index]),
      output: (index) => {
        const code = this.codeOf(outputs[index]);
        if (!code) throw new Error(`bug: output ${index} of ${node.op} has no type`);
        return code;
      },
      riding: group && limited(group.riding, options.ranges.get(group.inner)),
      add: (tensor, hint) => this.add(tensor, hint),
      emit: (emission) => this.emit(emission, origin),
    };
  }

  private codeOf(given: string | undefined): Code | undefined {
    if (!given) return undefined;
    const name = this.clamped.get(given) ?? given;
    const constant = this.constants.get(name);
    const type = constant ?? this.types.get(name);
    if (!type || !isStatic(type.shape)) return undefined;
    if (!type.quant && isReal(type)) return undefined;
    if (!type.quant) return { name, dtype: type.dtype, shape: type.shape };
    const code = { name, dtype: type.dtype, shape: type.shape, quant: type.quant };
    return this.narrow.has(given) ? { ...code, bits: 4 } : code;
  }

  private add(tensor: Tensor, hint: string): string {
    const same = this.sharedData.get(tensor.data);
    const held = same === undefined ? undefined : this.constants.get(same);
    if (same !== undefined && held?.dtype === tensor.dtype && String(held.shape) === String(tensor.shape)) return same;
    const content = Buffer.from(bytesOf(tensor));
    const key = content.length > 4096 ? undefined : `${tensor.dtype}[${tensor.shape}]${content.toString("latin1")}`;
    const known = key === undefined ? undefined : this.shared.get(key);
    if (known !== undefined) return known;
    const name = freshName(hint, this.names);
    this.names.add(name);
    this.constants.set(name, tensor);
    this.sharedData.set(tensor.data, name);
    if (key !== undefined) this.shared.set(key, name);
    return name;
  }

  private emit(emission: Emission, origin: readonly string[]): string {
    const name = emission.name ?? freshName(`${emission.inputs[0]}/${emission.op.toLowerCase()}`, this.names);
    this.names.add(name);
    this.types.set(name, emission.type);
    this.nodes.push({
      op: emission.op,
      domain: "npu",
      inputs: emission.inputs,
      outputs: [name],
      attrs: makeAttrs(emission.attrs ?? {}),
      origin,
    });
    return name;
  }

  finish(): Graph {
    const used = new Set([...this.graph.outputs, ...this.nodes.flatMap(readsOf)]);
    const made = new Set([...this.graph.inputs, ...this.nodes.flatMap((node) => node.outputs)]);
    const constants = new Map([...this.constants].filter(([name]) => used.has(name)));
    const types = new Map([...this.types].filter(([name]) => made.has(name)));
    const opsets = new Map(this.graph.opsets).set("npu", 1);
    const states = this.graph.states.map((state) => ({ ...state, init: codesOf(state.init, types.get(state.input)) }));
    return { ...this.graph, nodes: this.nodes, constants, types, opsets, states };
  }
}

/** Activations of 4 bits: 16 levels, stored in a byte each. Packed weights are constants. */
const isNarrow = (type: Type): boolean => type.dtype === "int4" && type.quant !== undefined;
const inBytes = (type: Type): Type => ({ ...type, dtype: "int8" });

/** What a state begins with, as the codes that it is stored in. */
function codesOf(init: Tensor, type: Type | undefined): Tensor {
  return type?.quant && !init.quant && isReal(init) ? quantize(init, type.dtype, type.quant) : init;
}

/** What the chip stores besides quantized numbers. */
const STORED: ReadonlySet<string> = new Set(["int8", "uint8", "int16", "int32"]);

/** Scales that no multiplier can say are a reason to refuse, not a bug. */
function attempt(lowering: () => string | undefined): string | undefined {
  try {
    return lowering();
  } catch (error) {
    if (error instanceof RangeError) return `${error.message}: its scales are too far apart`;
    throw error;
  }
}

/** A table covers what calibration saw, cut where the function has settled; int16 leaves a margin for what it did not. */
function limited(riding: Riding, range: Range | undefined): Riding {
  if (riding.kind === "clamp") return riding;
  if (!range) throw new CompileError("usage/not-calibrated", "an activation's input has no calibrated range");
  const reach = Math.max(-range.low, range.high) * 1.25 || 1;
  return { ...riding, range: Math.min(riding.range, reach) };
}
