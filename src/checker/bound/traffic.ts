/** Bytes that must cross the DRAM's bus in one run, whatever the schedule: computed from the graph alone. */
import { type Graph, intsAttr, type Node, type State } from "../../ir/graph.ts";
import type { Target } from "../../target/schema.ts";
import { isUnpacking, isUnpairing, layerOf, type Sized, sized, VIEWS } from "./layer.ts";

/** Rows put into a longer axis: input 0 is what they are put into, input 1 the rows. */
const APPEND = "TensorScatter";
/** Operators whose result is their first input in another order, a part of it, or it with some rows replaced. */
const PASSES: ReadonlySet<string> = new Set(["Reshape", "Transpose", "Slice", "Gather", APPEND]);

type Makers = ReadonlyMap<string, Node>;

/** The node that appends rows to a state in place. */
function appenderOf({ input, output }: State, makers: Makers): Node | undefined {
  const maker = makers.get(output);
  return maker?.domain === "npu" && maker.op === APPEND && maker.inputs[0] === input ? maker : undefined;
}

/** Whether a state stays what it is, or may: at most its own codes seen in another way, which a view can be. */
function isKept({ input, output }: State, makers: Makers): boolean {
  let name = output;
  for (let maker = makers.get(name); maker?.domain === "npu" && VIEWS.has(maker.op); maker = makers.get(name)) {
    name = maker.inputs[0];
  }
  return name === input;
}

function bytesOf(value: Sized | undefined): number {
  return value ? value.count * value.bytes : 0;
}

/** Of `length` positions on an axis, those that a window reaches from some of its places. */
function reached(
  length: number,
  places: number,
  window: Readonly<Record<"kernel" | "stride" | "dilation" | "pad", number>>,
) {
  const { kernel, stride, dilation, pad } = window;
  const found = new Set<number>();
  for (let place = 0; place < places; place++) {
    for (let tap = 0; tap < kernel; tap++) {
      const at = place * stride + tap * dilation - pad;
      if (at >= 0 && at < length) found.add(at);
    }
  }
  return found.size;
}

/** The part of its first input that an operator with windows reads: strides may step over the rest. */
function shareRead(node: Node, graph: Graph): number {
  if (node.domain !== "npu" || !["Conv", "MaxPool", "AveragePool"].includes(node.op)) return 1;
  const [x, w, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map((name) => sized(graph, name)?.shape);
  const kernels = node.op === "Conv" ? w?.slice(2) : intsAttr(node, "kernel_shape");
  if (!x || !y || !kernels) return 1;
  return kernels.reduce((share, kernel, axis) => {
    const of = (name: string, none: number) => intsAttr(node, name)?.[axis] ?? none;
    const window = { kernel, stride: of("strides", 1), dilation: of("dilations", 1), pad: of("pads", 0) };
    const length = x[2 + axis];
    return length === 0 ? share : (share * reached(length, y[2 + axis], window)) / length;
  }, 1);
}

/**
 * Bytes of every value that somebody needs: all, unless only parts of it are read, through whatever views. Walked from the
 * outputs on, so that a value's readers are known before itself.
 */
function demands(graph: Graph, makers: Makers, target: Target): Map<string, number> {
  const wanted = new Map<string, number>();
  const sizeOf = (name: string) => bytesOf(sized(graph, name));
  const want = (name: string, bytes: number) =>
    wanted.set(name, Math.min(sizeOf(name), (wanted.get(name) ?? 0) + bytes));
  // What is appended to, or kept as it is, stays where it lies.
  const inPlace = new Set(
    graph.states.filter((state) => isKept(state, makers) || appenderOf(state, makers)).map(({ output }) => output),
  );
  for (const name of [...graph.outputs, ...graph.states.map(({ output }) => output)])
    if (!inPlace.has(name)) want(name, sizeOf(name));
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index];
    const asked = node.outputs.reduce((sum, name) => sum + (wanted.get(name) ?? 0), 0);
    // Weights that the target cannot unpack lie in memory as they come out of the unpacker: they are counted as such.
    if (isUnpacking(node) && target.array.int4Storage === "none") continue;
    node.inputs.forEach((name, at) => {
      if (name === "") return;
      const passes = node.domain === "npu" && at === 0 && PASSES.has(node.op);
      const fresh = passes && node.op === APPEND ? sizeOf(node.inputs[1]) : 0;
      const read = at === 0 ? Math.round(sizeOf(name) * shareRead(node, graph)) : sizeOf(name);
      // Of bytes that hold two codes each, only those whose codes are asked for.
      const part = isUnpairing(node) ? Math.ceil(asked / 2) : read;
      want(name, passes ? Math.max(0, asked - fresh) : part);
    });
  }
  return wanted;
}

export interface Traffic {
  readonly read: number;
  readonly written: number;
}

/**
 * Constants, inputs and states once, as far as they are read; outputs once; of a state that is appended to in place only the new
 * rows. Where the SRAM keeps operands only, also every result that the array reads, out and in again.
 */
export function compulsoryTraffic(graph: Graph, target: Target): Traffic {
  const makers: Makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const wanted = demands(graph, makers, target);
  let [read, written] = [0, 0];
  if (target.array.int4Storage === "none") {
    for (const node of graph.nodes) if (isUnpacking(node)) read += wanted.get(node.outputs[0]) ?? 0;
  }
  for (const name of graph.constants.keys()) read += wanted.get(name) ?? 0;
  for (const name of graph.inputs) read += wanted.get(name) ?? 0;
  const fed = new Set(graph.states.map(({ output }) => output));
  for (const name of new Set(graph.outputs)) if (!fed.has(name)) written += bytesOf(sized(graph, name));
  for (const state of graph.states) {
    if (isKept(state, makers)) continue;
    written += bytesOf(sized(graph, appenderOf(state, makers)?.inputs[1] ?? state.output));
  }
  if (target.sram.keeps === "operands") {
    const ends = new Set([...graph.outputs, ...fed]);
    const layers = graph.nodes.flatMap((node) => {
      const layer = layerOf(node, graph);
      return layer ? [{ node, onArray: layer.kind !== "vector" }] : [];
    });
    // The vector unit may work on a result on its way out; the array reads operands from memory only.
    const direct = new Set(layers.flatMap(({ node, onArray }) => (onArray ? node.inputs : [])));
    for (const { node } of layers) {
      const [name] = node.outputs;
      if (!direct.has(name)) continue;
      const bytes = bytesOf(sized(graph, name));
      read += bytes;
      if (!ends.has(name)) written += bytes;
    }
  }
  return { read, written };
}
