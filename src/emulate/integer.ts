import { CompileError } from "../error.ts";
import { quantize } from "../ir/codes.ts";
import {
  bitsOf,
  type DType,
  elementCount,
  type Graph,
  isStatic,
  type Node,
  type RuntimeValue,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { bytesOf, viewBytes } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { inferTypes } from "../ops/infer.ts";
import { withUnpackedConstants } from "../ops/shared/npu/unpacked.ts";
import { interpret } from "../run/interpret.ts";
import { areTwins, compileNode, compileTwins } from "./integer/compile.ts";
import { type Layout, type Lifetime, makeLayout, placeValues } from "./integer/memory.ts";
import { segmentsOf } from "./integer/segments.ts";
import type { Slot, Step, StepContext } from "./integer/step.ts";
import { instantiateKernels, type Kernels } from "./kernels/load.ts";

/** A loaded integer graph. One at a time: `run` works in the program's own memory. */
export interface IntegerProgram {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Codes in, codes out (their types as in the graph). A float32 feed of a quantized input is quantized first; an input that
   * is a state may be left out. Throws usage/missing-input, usage/wrong-input.
   */
  run(feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
  /** States get their first values again. */
  reset(): void;
}

/**
 * The fast executor of a lowered graph: the same bits as the oracle (src/ops/npu) on every CPU. Nodes of the chip run as
 * WebAssembly kernels on one memory, planned here; the CPU's nodes run in the interpreter on dequantized values.
 */
export function loadInteger(source: Graph): IntegerProgram {
  const untyped = source.nodes.some((node) => node.outputs.some((name) => name !== "" && !source.types.has(name)));
  return new Program(withUnpackedConstants(untyped ? inferTypes(source) : source));
}

const CODES: ReadonlySet<DType> = new Set<DType>(["int8", "uint8", "int16"]);

/** A class because it owns a WebAssembly memory and the states in it. */
class Program implements IntegerProgram {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  private readonly graph: Graph;
  private readonly kernels: Kernels;
  private readonly slots: ReadonlyMap<string, Slot>;
  private readonly steps: readonly Step[];
  private readonly hostValues = new Map<string, RuntimeValue>();
  private readonly states = new Map<string, Tensor>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.kernels = instantiateKernels();
    const { slots, bytes } = placeSlots(graph);
    this.slots = slots;
    const layout = makeLayout(bytes);
    this.steps = this.compile(layout);
    layout.finish(this.kernels);
    this.reset();
  }

  run(feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    this.hostValues.clear();
    for (const name of this.inputs) this.write(name, this.feedOf(name, feeds));
    for (const step of this.steps) step();
    const results = new Map(this.outputs.map((name) => [name, this.read(name)]));
    for (const { input, output } of this.graph.states) this.states.set(input, results.get(output) ?? this.read(output));
    return results;
  }

  reset(): void {
    for (const { input, init } of this.graph.states) this.states.set(input, init);
  }

  private feedOf(name: string, feeds: ReadonlyMap<string, Tensor>): Tensor {
    const feed = feeds.get(name) ?? this.states.get(name) ?? this.graph.constants.get(name);
    if (feed === undefined) {
      throw new CompileError("usage/missing-input", `the input "${name}" was not given`, { where: `input ${name}` });
    }
    const type = typeOf(this.graph, name);
    if (!type || !isStatic(type.shape)) return feed;
    const { dtype, quant } = type;
    const fits = feed.shape.length === type.shape.length && feed.shape.every((dim, axis) => dim === type.shape?.[axis]);
    const codes = quant && isFloat(feed.dtype) && !isFloat(dtype) ? quantize(feed, dtype, quant) : feed;
    if (fits && codes.dtype === dtype) return codes;
    const message = `it is ${feed.dtype} [${feed.shape}]; the graph reads ${dtype} [${type.shape}]`;
    throw new CompileError("usage/wrong-input", message, { where: `input ${name}` });
  }

  private write(name: string, value: RuntimeValue): void {
    const slot = this.slots.get(name);
    if (slot === undefined) this.hostValues.set(name, value);
    else new Uint8Array(this.kernels.memory.buffer).set(bytesOf(value as Tensor), slot.address);
  }

  /** A copy of a value, with its quantization. */
  private read(name: string): Tensor {
    const slot = this.slots.get(name);
    const value = slot ? undefined : (this.hostValues.get(name) ?? this.graph.constants.get(name));
    const quant = this.graph.types.get(name)?.quant;
    if (!slot) return quant && value && !("quant" in value) ? ({ ...value, quant } as Tensor) : (value as Tensor);
    const { address, dtype, shape, count, bytes } = slot;
    const copy = new Uint8Array(this.kernels.memory.buffer).slice(address, address + count * bytes);
    const tensor: Tensor = { dtype, shape, data: viewBytes(dtype, count, copy) };
    return quant ? { ...tensor, quant } : tensor;
  }

  private compile(layout: Layout): Step[] {
    const constants = new Map<string, Slot>();
    const segments = segmentsOf(this.graph);
    const steps: Step[] = [];
    for (let at = 0; at < segments.length; at++) {
      const segment = segments[at];
      if (segment.kind === "host") {
        const { graph, reads } = segment;
        steps.push(() => {
          const feeds = new Map(reads.map((name) => [name, this.read(name)]));
          for (const [name, value] of interpret(graph, feeds)) this.write(name, value);
        });
        continue;
      }
      const { node } = segment;
      if (rootOf(this.graph, node) !== undefined && this.sharesPlace(node)) continue;
      const inMemory = node.inputs.every(
        (name) => name === "" || this.slots.has(name) || this.graph.constants.has(name),
      );
      const context = this.contextOf(node, layout, constants);
      const next = segments[at + 1];
      const both =
        inMemory && next?.kind === "chip" && areTwins(node, next.node, this.graph)
          ? compileTwins(context, this.contextOf(next.node, layout, constants))
          : undefined;
      steps.push(both ?? compileNode(context, inMemory, (name) => this.read(name)));
      if (both) at++;
    }
    return steps;
  }

  private sharesPlace(node: Node): boolean {
    return this.slots.get(node.inputs[0])?.address === this.slots.get(node.outputs[0])?.address;
  }

  private contextOf(node: Node, layout: Layout, constants: Map<string, Slot>): StepContext {
    const { graph, slots, kernels } = this;
    const input = (index: number): Slot => {
      const name = node.inputs[index];
      const known = slots.get(name) ?? constants.get(name);
      if (known) return known;
      const tensor = graph.constants.get(name) as Tensor;
      const slot = makeSlot(tensor.dtype, tensor.shape, layout.constant(bytesOf(tensor)));
      constants.set(name, slot);
      return slot;
    };
    return {
      node,
      kernels,
      layout,
      input,
      has: (index) => (node.inputs[index] ?? "") !== "",
      constant: (index) => graph.constants.get(node.inputs[index]),
      output: slots.get(node.outputs[0]) as Slot,
    };
  }
}

function makeSlot(dtype: DType, shape: readonly number[], address: number): Slot {
  return { address, dtype, shape, bytes: bitsOf(dtype) / 8, count: elementCount(shape) };
}

/** The value whose bytes the node's output can share: only its shape is another. */
function rootOf(graph: Graph, node: Node): string | undefined {
  const [from] = node.inputs;
  const [to] = node.outputs;
  const sameBytes =
    node.domain === "npu" &&
    (node.op === "Reshape" || (node.op === "Cast" && typeOf(graph, from)?.dtype === typeOf(graph, to)?.dtype));
  return sameBytes && !graph.constants.has(from) ? from : undefined;
}

/** Which values lie in the program's memory, and where: all codes whose shape is known. */
function placeSlots(graph: Graph): { slots: ReadonlyMap<string, Slot>; bytes: number } {
  const roots = new Map<string, string>();
  const types = new Map<string, { dtype: DType; shape: readonly number[] }>();
  const lives = new Map<string, { first: number; last: number }>();
  const define = (name: string, at: number, fromChip: boolean, root?: string): void => {
    const type: Type | undefined = graph.types.get(name);
    if (!type || !isStatic(type.shape) || !(fromChip || CODES.has(type.dtype))) return;
    types.set(name, { dtype: type.dtype, shape: type.shape });
    const shared = root === undefined ? undefined : roots.get(root);
    roots.set(name, shared ?? name);
    if (shared === undefined) lives.set(name, { first: at, last: at });
  };
  const use = (name: string, at: number): void => {
    const life = lives.get(roots.get(name) ?? "");
    if (life) life.last = Math.max(life.last, at);
  };

  for (const name of graph.inputs) define(name, -1, false);
  graph.nodes.forEach((node, at) => {
    for (const name of readsOf(node)) use(name, at);
    for (const name of node.outputs) if (name !== "") define(name, at, node.domain === "npu", rootOf(graph, node));
  });
  const end = graph.nodes.length;
  for (const name of graph.outputs) use(name, end);
  for (const { output } of graph.states) use(output, end);

  const lifetimes: Lifetime[] = [...lives].map(([name, life]) => {
    const { dtype, shape } = types.get(name) as { dtype: DType; shape: readonly number[] };
    return { name, bytes: (elementCount(shape) * bitsOf(dtype)) / 8, ...life };
  });
  const { addresses, bytes } = placeValues(lifetimes);
  const slots = new Map<string, Slot>();
  for (const [name, { dtype, shape }] of types) {
    slots.set(name, makeSlot(dtype, shape, addresses.get(roots.get(name) as string) as number));
  }
  return { slots, bytes };
}
