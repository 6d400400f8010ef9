import { CompileError } from "../error.ts";
import { elementCount, type Graph, intAttr, intsAttr, isStatic, type Node, type Type, typeOf } from "../ir/graph.ts";
import { countUses } from "../ir/uses.ts";
import { STORAGE_BYTES, type Storage } from "./program.ts";
import { type Root, sliceView, type View, viewOfRoot } from "./view.ts";
import { type Codes, codesOf } from "./weights.ts";

function isStorage(dtype: string): dtype is Storage {
  return Object.hasOwn(STORAGE_BYTES, dtype) && dtype !== "int4";
}

/** Storage and static shape of a value. Throws model/unsupported-type, model/symbolic-shape. */
export function storageOf(type: Type | undefined, name: string): { dtype: Storage; shape: readonly number[] } {
  if (type === undefined || !isStatic(type.shape)) {
    throw new CompileError("model/symbolic-shape", `the shape of "${name}" is not known when the model is compiled`, {
      where: name,
      remedy: "bind every symbolic dimension under `inputs` in the recipe",
    });
  }
  if (!isStorage(type.dtype) || type.container !== undefined) {
    throw new CompileError("model/unsupported-type", `"${name}" is of type ${type.container ?? type.dtype}`, {
      where: name,
      remedy: "programs hold tensors of whole-byte numbers only",
    });
  }
  return { dtype: type.dtype, shape: type.shape };
}

/** Where every value lies. */
export class Roots {
  private readonly graph: Graph;
  private readonly views = new Map<string, View>();
  /** Parts of a concatenation that are written in place. */
  private readonly homes = new Map<string, View>();

  /** How often names are read. */
  private readonly counts: ReadonlyMap<string, number>;

  constructor(graph: Graph, isOnChip: (node: Node) => boolean) {
    this.graph = graph;
    this.counts = countUses(graph);
    const fed = new Set(graph.states.map(({ input }) => input));
    for (const name of graph.inputs)
      this.views.set(name, viewOfRoot(this.make(name, fed.has(name) ? "state" : "input")));
    this.settleConcats(isOnChip);
  }

  private make(name: string, kind: Root["kind"], codes?: Codes): Root {
    const { dtype, shape } = storageOf(typeOf(this.graph, name), name);
    const bytes = elementCount(shape) * STORAGE_BYTES[dtype];
    return { name, dtype, shape, bytes, kind, ...(codes === undefined ? {} : { codes }) };
  }

  /**
   * A Concat whose parts are made by the chip for it needs no copies: each part is computed in its place. Later
   * concatenations are settled first, so that parts of parts find their home too.
   */
  private settleConcats(isOnChip: (node: Node) => boolean): void {
    const { graph } = this;
    const makers = new Map<string, Node>();
    for (const node of graph.nodes) for (const output of node.outputs) makers.set(output, node);
    for (let index = graph.nodes.length - 1; index >= 0; index--) {
      const node = graph.nodes[index];
      if (node.op !== "Concat" || node.domain !== "npu") continue;
      const [output] = node.outputs;
      const whole = this.homes.get(output) ?? viewOfRoot(this.make(output, "computed"));
      this.homes.set(output, whole);
      const axis = (intAttr(node, "axis", 0) + whole.shape.length) % whole.shape.length;
      let start = 0;
      for (const input of node.inputs) {
        const { shape } = storageOf(typeOf(graph, input), input);
        const maker = makers.get(input);
        const free = maker !== undefined && isOnChip(maker) && !["Reshape", "Slice", "Gather"].includes(maker.op);
        if (free && !this.homes.has(input)) this.homes.set(input, sliceView(whole, axis, start, shape[axis], 1));
        start += shape[axis];
      }
    }
  }

  /** How often a value is read, as an output of the graph too. */
  uses(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  /** The place of a value that some node makes. */
  home(name: string): View {
    const found = this.homes.get(name) ?? viewOfRoot(this.make(name, "computed"));
    this.views.set(name, found);
    return found;
  }

  /** Says that a value is a part of another one. */
  alias(name: string, view: View): void {
    this.views.set(name, view);
  }

  /** Whether a value is computed in place inside a concatenation. */
  isPlaced(name: string): boolean {
    return this.homes.has(name);
  }

  view(name: string): View | undefined {
    if (name === "") return undefined;
    const found = this.views.get(name);
    if (found) return found;
    const constant = this.graph.constants.get(name);
    if (!constant) return undefined;
    storageOf(typeOf(this.graph, name), name);
    const view = viewOfRoot(this.make(name, "constant", codesOf(constant)));
    this.views.set(name, view);
    return view;
  }
}

/** A Slice as strides; the last axis must stay contiguous to be worth no copy. */
export function slicedView(node: Node, x: View): View {
  const starts = intsAttr(node, "starts") ?? [];
  const ends = intsAttr(node, "ends") ?? [];
  const axes = intsAttr(node, "axes") ?? starts.map((_, axis) => axis);
  const steps = intsAttr(node, "steps") ?? starts.map(() => 1);
  let view = x;
  axes.forEach((given, at) => {
    const axis = (given + x.shape.length) % x.shape.length;
    const count = Math.ceil((ends[at] - starts[at]) / steps[at]);
    view = sliceView(view, axis, starts[at], count, steps[at]);
  });
  return view;
}
