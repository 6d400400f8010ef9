import { type Attrs, EMPTY_ATTRS, freshName, type Graph, type Node, type Tensor, type Type } from "./graph.ts";
import { compilePattern, type Match, type MatchView, matchAt, type Pattern } from "./match.ts";
import { countUses, namesOf, readsOf } from "./uses.ts";

/** A tensor that becomes a constant of the graph; `hint` is what it replaces in the pattern, or what to call it. */
export interface FreshConstant {
  readonly tensor: Tensor;
  readonly hint: string;
}

/** A node to put in the place of the match. Its `outputs` are the root's unless said otherwise. */
export interface NewNode {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (string | FreshConstant)[];
  readonly outputs?: readonly string[];
  readonly attrs?: Attrs;
}

/** What was found, in the pattern's names. */
export interface Found {
  /** The graph's name of a value; "" where an optional one is absent. */
  value(name: string): string;
  has(name: string): boolean;
  /** The node that makes a value of the pattern. */
  node(name: string): Node;
  attrs(name: string): Attrs;
  /** The value where it is a constant that is not quantized. */
  tensor(name: string): Tensor | undefined;
  /** All of them, or undefined where one is computed at run time, quantized or absent. */
  tensors<Name extends string>(...names: Name[]): Record<Name, Tensor> | undefined;
  type(name: string): Type | undefined;
  /** A name that the graph does not have yet, for a value between several new nodes; with its type, matches can go on. */
  fresh(hint: string, type?: Type): string;
  /** Which of several match texts it was. */
  readonly alternative: number;
  readonly graph: Graph;
}

export interface Rewrite {
  readonly summary: string;
  /** One pattern, or several that mean the same; see `compilePattern`. */
  readonly match: string | readonly string[];
  /** Captures that only constants fit, whichever side of a commutative operator they stand on. */
  readonly constants?: readonly string[];
  /** The ONNX opset that the new nodes need; a graph of an older one is raised to it. */
  readonly opset?: number;
  /** Nodes in place of the match; undefined leaves it alone. */
  replace(found: Found): NewNode | readonly NewNode[] | undefined;
}

/** A constant made by the rewrite. It takes the name of the capture `hint` if nothing else needs that any more. */
export function constant(tensor: Tensor, hint = "constant"): FreshConstant {
  return { tensor, hint };
}

/**
 * A pass from a pattern: wherever it matches, its nodes give way to new ones that stand in for all of them, their origins
 * merged. What is inside a match must be read by nothing else. Runs over the nodes in order until nothing matches.
 */
export function rewrite(rule: Rewrite): { summary: string; run(graph: Graph): Graph } {
  const texts = typeof rule.match === "string" ? [rule.match] : rule.match;
  const patterns = texts.map((text) => compilePattern(text, rule.constants));
  return { summary: rule.summary, run: (graph) => rewriteGraph(graph, patterns, rule) };
}

/** A rewrite that feeds itself forever is a bug; no sane one needs as many rounds. */
const ROUNDS = 1000;

function rewriteGraph(graph: Graph, patterns: readonly Pattern[], rule: Rewrite): Graph {
  const wanted = new Set(patterns.map(({ root }) => `${root.domain}:${root.op}`));
  const isCandidate = (node: Node): boolean => wanted.has(`${node.domain}:${node.op}`);
  if (!graph.nodes.some(isCandidate)) return graph;
  const draft = new Draft(graph);
  for (let round = 0; round < ROUNDS; round++) {
    if (!rewriteRound(draft, isCandidate, patterns, rule)) return raiseOpset(graph, draft.finish(), rule.opset ?? 0);
  }
  throw new Error(`bug: a rewrite does not end: ${rule.summary}`);
}

function raiseOpset(before: Graph, after: Graph, opset: number): Graph {
  if (after === before || (after.opsets.get("") ?? 0) >= opset) return after;
  return { ...after, opsets: new Map(after.opsets).set("", opset) };
}

function rewriteRound(
  draft: Draft,
  isCandidate: (node: Node) => boolean,
  patterns: readonly Pattern[],
  rule: Rewrite,
): boolean {
  let changed = false;
  for (const node of draft.nodes()) {
    if (!isCandidate(node) || !draft.holds(node)) continue;
    for (const [alternative, pattern] of patterns.entries()) {
      const match = matchAt(pattern, node, draft);
      if (match === undefined) continue;
      const replacement = rule.replace(foundIn(draft, pattern, match, alternative));
      if (replacement === undefined) continue;
      draft.replace(pattern, match, Array.isArray(replacement) ? replacement : [replacement as NewNode]);
      changed = true;
      break;
    }
  }
  return changed;
}

function foundIn(draft: Draft, pattern: Pattern, match: Match, alternative: number): Found {
  const value = (name: string): string => {
    const bound = match.values.get(name);
    if (bound === undefined) throw new Error(`bug: the pattern has no value "${name}"`);
    return bound;
  };
  const node = (name: string): Node => {
    const found = match.nodes.get(pattern.makers.get(name) ?? -1);
    if (found === undefined) throw new Error(`bug: no line of the pattern makes "${name}"`);
    return found;
  };
  const tensor = (name: string): Tensor | undefined => {
    const found = draft.constant(value(name));
    return found?.quant === undefined ? found : undefined;
  };
  return {
    value,
    node,
    tensor,
    alternative,
    has: (name) => (match.values.get(name) ?? "") !== "",
    attrs: (name) => node(name).attrs,
    tensors(...names) {
      const found = {} as Record<string, Tensor>;
      for (const name of names) {
        const constant = tensor(name);
        if (constant === undefined) return undefined;
        found[name] = constant;
      }
      return found;
    },
    type: (name) => draft.type(value(name)),
    fresh: (hint, type) => draft.fresh(hint, type),
    graph: draft.graph,
  };
}

/** The graph while it is rewritten: nodes in their places, and who makes and reads what. */
class Draft implements MatchView {
  readonly graph: Graph;
  #changed = false;
  /** What stands where a node of the graph stood. */
  readonly #slots: (readonly Node[])[];
  readonly #places = new Map<Node, number>();
  readonly #producers = new Map<string, Node>();
  readonly #uses: Map<string, number>;
  readonly #constants: Map<string, Tensor>;
  readonly #types: Map<string, Type>;
  readonly #inputs: ReadonlySet<string>;
  #names: Set<string> | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
    this.#slots = graph.nodes.map((node) => [node]);
    this.#uses = countUses(graph);
    this.#constants = new Map(graph.constants);
    this.#types = new Map(graph.types);
    this.#inputs = new Set(graph.inputs);
    for (const [place, node] of graph.nodes.entries()) this.#enter(node, place);
  }

  #enter(node: Node, place: number): void {
    this.#places.set(node, place);
    for (const name of node.outputs) this.#producers.set(name, node);
  }

  producer(value: string): Node | undefined {
    return value === "" ? undefined : this.#producers.get(value);
  }

  uses(value: string): number {
    return this.#uses.get(value) ?? 0;
  }

  constant(value: string): Tensor | undefined {
    return this.#inputs.has(value) ? undefined : this.#constants.get(value);
  }

  type(value: string): Type | undefined {
    const tensor = this.#constants.get(value);
    if (tensor === undefined) return this.#types.get(value);
    const { dtype, shape, quant } = tensor;
    return quant === undefined ? { dtype, shape } : { dtype, shape, quant };
  }

  *nodes(): Generator<Node> {
    for (let place = 0; place < this.#slots.length; place++) yield* this.#slots[place];
  }

  holds(node: Node): boolean {
    return this.#places.has(node);
  }

  fresh(hint: string, type?: Type): string {
    this.#names ??= namesOf(this.graph);
    const name = freshName(hint, this.#names);
    this.#names.add(name);
    if (type !== undefined) this.#types.set(name, type);
    return name;
  }

  replace(pattern: Pattern, match: Match, replacement: readonly NewNode[]): void {
    const root = match.nodes.get(pattern.nodes.length - 1) as Node;
    const place = this.#places.get(root) as number;
    const origin = [...new Set([...match.nodes.values()].flatMap((node) => node.origin))].sort();
    const kept = new Set(replacement.flatMap(({ inputs }) => inputs.filter((input) => typeof input === "string")));
    for (const node of match.nodes.values()) this.#leave(node, node === root, kept);
    const nodes = replacement.map((made, index): Node => {
      const isLast = index === replacement.length - 1;
      if (!isLast && made.outputs === undefined)
        throw new Error("bug: only the last new node may leave out its outputs");
      return {
        op: made.op,
        domain: made.domain ?? "",
        inputs: made.inputs.map((input) => (typeof input === "string" ? input : this.#add(input, match, root))),
        outputs: made.outputs ?? root.outputs,
        attrs: made.attrs ?? EMPTY_ATTRS,
        origin,
      };
    });
    this.#slots[place] = this.#slots[place].flatMap((node) => (node === root ? nodes : [node]));
    for (const node of nodes) {
      this.#enter(node, place);
      for (const name of readsOf(node)) this.#uses.set(name, this.uses(name) + 1);
    }
    for (const name of root.outputs) {
      if (this.uses(name) > 0 && !this.#producers.has(name)) throw new Error(`bug: nothing makes "${name}" any more`);
    }
    this.#changed = true;
  }

  /** Forgets a matched node, with the constants that only it read. The root keeps its slot for the new nodes. */
  #leave(node: Node, isRoot: boolean, kept: ReadonlySet<unknown>): void {
    const place = this.#places.get(node) as number;
    if (!isRoot) this.#slots[place] = this.#slots[place].filter((other) => other !== node);
    this.#places.delete(node);
    for (const name of node.outputs) this.#producers.delete(name);
    for (const name of readsOf(node)) {
      const left = this.uses(name) - 1;
      this.#uses.set(name, left);
      if (left === 0 && !kept.has(name) && !this.#inputs.has(name)) this.#constants.delete(name);
    }
    for (const name of node.outputs) if (this.uses(name) === 0) this.#types.delete(name);
  }

  #add({ tensor, hint }: FreshConstant, match: Match, root: Node): string {
    const replaced = match.values.get(hint) ?? "";
    const wish = replaced === "" ? `${root.outputs[0]}_${hint}` : replaced;
    this.#names ??= namesOf(this.graph);
    const isFree =
      replaced !== "" && !this.#constants.has(wish) && !this.#producers.has(wish) && !this.#inputs.has(wish);
    const name = isFree && this.uses(wish) === 0 ? wish : this.fresh(wish);
    this.#constants.set(name, tensor);
    return name;
  }

  finish(): Graph {
    if (!this.#changed) return this.graph;
    const nodes = this.#slots.flat();
    return { ...this.graph, nodes, constants: this.#constants, types: this.#types };
  }
}
