import { CompileError } from "../error.ts";
import { freshName, type Graph, type Node, type Tensor, type Type } from "../ir/graph.ts";
import { namesOf, readsOf } from "../ir/uses.ts";
import { inferTypes } from "../ops/infer.ts";
import { type Extra, extraOf } from "./extra.ts";
import { explicitPads } from "./normalise/auto-pad.ts";
import { tensorOfConstant } from "./normalise/constants.ts";
import type { Conversion, ConvertContext } from "./normalise/conversion.ts";
import { defaults } from "./normalise/defaults.ts";
import { inputs } from "./normalise/inputs.ts";
import { norms } from "./normalise/norms.ts";
import { foldQdq } from "./normalise/qdq.ts";
import { resize } from "./normalise/resize.ts";
import { scan } from "./normalise/scan.ts";
import { isMarked, settleSoftmax, softmax } from "./normalise/softmax.ts";
import { mapSubgraphs } from "./qdq.ts";
import { NEWEST_OPSET } from "./read.ts";

/** All operators have the form of this opset. Those that came later keep theirs: newer opsets change no older form. */
export const CANONICAL_OPSET = 21;

/** Every conversion, by operator, oldest first. */
const CONVERSIONS = new Map<string, Conversion[]>();
for (const family of [defaults, inputs, norms, resize, scan, softmax]) {
  for (const [op, conversions] of Object.entries(family)) {
    const all = [...(CONVERSIONS.get(op) ?? []), ...conversions];
    CONVERSIONS.set(
      op,
      all.sort((a, b) => a.before - b.before),
    );
  }
}

/**
 * The graph in the one form that everything behind the border knows: opset 21 (or the model's own, if newer), constants as
 * constants, quantization in the types, explicit padding where sizes are known, and the type of every value.
 * Throws CompileError `model/…` with the node's name.
 */
export function normalise(graph: Graph): Graph {
  const opset = graph.opsets.get("") ?? CANONICAL_OPSET;
  if (opset > NEWEST_OPSET) throw new CompileError("model/opset", `opset ${opset} is not known`);
  const state: ModelState = { taken: namesOf(graph), opset, onlyFloat32: hasOnlyFloat32(graph) };
  const modern: Graph = {
    ...modernise(graph, state, () => undefined),
    opsets: new Map(graph.opsets).set("", Math.max(opset, CANONICAL_OPSET)),
  };
  const typed = inferTypes(modern);
  const settled = settle(typed, state, () => undefined);
  const folded = withoutUnusedConstants(foldQdq(settled));
  const result = folded === typed ? typed : inferTypes(folded);
  const extra = extraOf(graph);
  // Initializers were inputs in old files only by that format's rule.
  return extra ? { ...result, extra: { ...extra, inputs: result.inputs } satisfies Extra } : result;
}

interface ModelState {
  readonly taken: Set<string>;
  readonly opset: number;
  readonly onlyFloat32: boolean;
}

function hasOnlyFloat32(graph: Graph): boolean {
  const isOther = ({ dtype }: { dtype: Tensor["dtype"] }) => dtype !== "float32" && dtype.includes("float");
  return (
    ![...graph.constants.values()].some(isOther) &&
    ![...graph.types.values()].some(isOther) &&
    !graph.nodes.some((node) => {
      const value = node.attrs.get("value");
      return node.op === "Cast" || (value !== undefined && "t" in value && isOther(value.t));
    })
  );
}

function contextFor(
  state: ModelState,
  constants: Map<string, Tensor>,
  types: ReadonlyMap<string, Type>,
  outer: (name: string) => Tensor | undefined,
): ConvertContext {
  const fresh = (hint: string): string => {
    const name = freshName(hint, state.taken);
    state.taken.add(name);
    return name;
  };
  return {
    constant: (name) => constants.get(name) ?? outer(name),
    rank: (name) => (constants.get(name) ?? outer(name) ?? types.get(name))?.shape?.length,
    fresh,
    add(hint, tensor) {
      const name = fresh(hint);
      constants.set(name, tensor);
      return name;
    },
    onlyFloat32: state.onlyFloat32,
  };
}

/** Every node in its canonical form, as far as that can be told without types. */
function modernise(graph: Graph, state: ModelState, outer: (name: string) => Tensor | undefined): Graph {
  const constants = new Map(graph.constants);
  const context = contextFor(state, constants, graph.types, outer);
  const types = new Map(graph.types);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (node.domain === "" && node.op === "Constant") {
      constants.set(node.outputs[0], tensorOfConstant(node));
      types.delete(node.outputs[0]);
      continue;
    }
    const inside = mapSubgraphs(node, (inner) => modernise(inner, state, context.constant));
    nodes.push(...converted(inside, state.opset, context));
  }
  return { ...graph, nodes, constants, types };
}

function converted(node: Node, opset: number, context: ConvertContext): readonly Node[] {
  if (node.domain !== "") return [node];
  let before: readonly Node[] = [];
  let current = node;
  for (const conversion of CONVERSIONS.get(node.op) ?? []) {
    if (opset >= conversion.before) continue;
    const result = conversion.convert(current, context);
    const nodes = "op" in result ? [result] : result;
    before = [...before, ...nodes.slice(0, -1)];
    current = nodes[nodes.length - 1];
  }
  return before.length === 0 ? [current] : [...before, current];
}

/** What needed types: old Softmax, automatic padding. */
function settle(graph: Graph, state: ModelState, outer: (name: string) => Type | undefined): Graph {
  const typeIn = (name: string): Type | undefined => {
    const constant = graph.constants.get(name);
    return constant ? { dtype: constant.dtype, shape: constant.shape } : (graph.types.get(name) ?? outer(name));
  };
  const constants = new Map(graph.constants);
  const context = contextFor(state, constants, graph.types, () => undefined);
  let changed = false;
  const nodes = graph.nodes.flatMap((node) => {
    const inside = mapSubgraphs(node, (inner) => settle(inner, state, typeIn));
    const done = isMarked(inside)
      ? settleSoftmax(inside, typeIn(inside.inputs[0]), context)
      : [explicitPads(inside, inside.inputs.map(typeIn))];
    changed ||= done.length !== 1 || done[0] !== node;
    return done;
  });
  return changed ? { ...graph, nodes, constants } : graph;
}

/** Scales, axes and bounds that the conversions left behind. */
function withoutUnusedConstants(graph: Graph): Graph {
  const used = new Set<string>([...graph.inputs, ...graph.outputs]);
  for (const node of graph.nodes) for (const name of readsOf(node)) used.add(name);
  const nodes = graph.nodes.map((node) => mapSubgraphs(node, withoutUnusedConstants));
  const same = nodes.every((node, index) => node === graph.nodes[index]);
  const constants = [...graph.constants].filter(([name]) => used.has(name));
  if (same && constants.length === graph.constants.size) return graph;
  return { ...graph, nodes: same ? graph.nodes : nodes, constants: new Map(constants) };
}
