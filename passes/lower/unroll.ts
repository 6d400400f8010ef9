import { forgetLost, renameReads } from "../../src/ir/edit.ts";
import {
  type Attr,
  attrs,
  freshName,
  type Graph,
  graphAttr,
  intAttr,
  intsAttr,
  isStatic,
  type Node,
  type Tensor,
  typeOf,
} from "../../src/ir/graph.ts";
import { inlineBranch } from "../../src/ir/inline.ts";
import { int64, numbersOf, scalar } from "../../src/ir/tensor.ts";
import { namesOf } from "../../src/ir/uses.ts";
import type { Pass } from "../../src/pass.ts";

/** Rounds that are written out at most. */
const ROUNDS = 64;

/** A Loop that runs a constant number of times, or a Scan over a known length, is its body so many times over. */
const pass: Pass = {
  summary: "Writes out Loops of constant length and Scans over a known one.",
  run(graph) {
    if (!graph.nodes.some((node) => roundsOf(graph, node) !== undefined)) return graph;
    const writer = new Writer(graph);
    const nodes = graph.nodes.flatMap((node) => {
      const rounds = roundsOf(graph, node);
      if (rounds === undefined) return [node];
      return node.op === "Loop" ? writer.loop(node, rounds) : writer.scan(node, rounds);
    });
    return forgetLost(graph, { ...graph, nodes, constants: writer.constants });
  },
};

export default pass;

/** How often the body runs, where that is known and little; undefined where it is not, or the body hides an outer name. */
function roundsOf(graph: Graph, node: Node): number | undefined {
  const body = node.domain === "" ? graphAttr(node, "body") : undefined;
  if (!body) return undefined;
  const rounds =
    node.op === "Loop" ? loopRounds(graph, node, body) : node.op === "Scan" ? scanRounds(graph, node) : undefined;
  if (rounds === undefined || rounds < 1 || rounds > ROUNDS) return undefined;
  const made = new Set([...body.constants.keys(), ...body.nodes.flatMap((inner) => inner.outputs)]);
  return node.inputs.some((name) => name !== "" && made.has(name)) ? undefined : rounds;
}

function loopRounds(graph: Graph, node: Node, body: Graph): number | undefined {
  const [count, condition] = node.inputs.map((name) => (name === "" ? undefined : graph.constants.get(name)));
  const starts = node.inputs[1] === "" || (condition && numbersOf(condition)[0] !== 0);
  if (!count || !starts || !staysTrue(body)) return undefined;
  return numbersOf(count)[0];
}

/** The body's condition is the one it was given, or true. */
function staysTrue(body: Graph): boolean {
  let name = body.outputs[0];
  for (let steps = 0; steps <= body.nodes.length; steps++) {
    if (name === body.inputs[1]) return true;
    const constant = body.constants.get(name);
    if (constant) return numbersOf(constant)[0] !== 0;
    const maker = body.nodes.find((node) => node.outputs.includes(name));
    if (maker?.op !== "Identity") return false;
    name = maker.inputs[0];
  }
  return false;
}

function scanRounds(graph: Graph, node: Node): number | undefined {
  const first = node.inputs.length - intAttr(node, "num_scan_inputs", 0);
  const shape = typeOf(graph, node.inputs[first] ?? "")?.shape;
  if (!isStatic(shape)) return undefined;
  return shape.at(intsAttr(node, "scan_input_axes")?.[0] ?? 0);
}

/** Nodes that stand in for a loop; new constants and names are those of the whole graph. */
class Writer {
  readonly constants: Map<string, Tensor>;
  private readonly taken: Set<string>;

  constructor(graph: Graph) {
    this.constants = new Map(graph.constants);
    this.taken = namesOf(graph);
  }

  loop(node: Node, rounds: number): Node[] {
    const body = graphAttr(node, "body") as Graph;
    const carried = node.inputs.length - 2;
    let values = node.inputs.slice(2);
    const condition = this.constant(scalar("bool", 1), `${node.outputs[0]}/condition`);
    const nodes: Node[] = [];
    const slices: string[][] = [];
    for (let round = 0; round < rounds; round++) {
      const given = [this.constant(scalar("int64", round), `${node.outputs[0]}/round`), condition, ...values];
      const names = this.roundNames(node, body.outputs.length - 1, carried, round === rounds - 1);
      nodes.push(...this.body(node, body, given, ["", ...names]));
      values = names.slice(0, carried);
      slices.push(names.slice(carried));
    }
    for (let output = carried; output < node.outputs.length; output++) {
      nodes.push(
        ...this.stack(
          node,
          node.outputs[output],
          slices.map((round) => round[output - carried]),
          0,
        ),
      );
    }
    return nodes;
  }

  scan(node: Node, rounds: number): Node[] {
    const body = graphAttr(node, "body") as Graph;
    const scanned = intAttr(node, "num_scan_inputs", 0);
    const carried = node.inputs.length - scanned;
    const of = (name: string, index: number) => intsAttr(node, name)?.[index] ?? 0;
    let values = node.inputs.slice(0, carried);
    const nodes: Node[] = [];
    const slices: string[][] = [];
    for (let round = 0; round < rounds; round++) {
      const cut = Array.from({ length: scanned }, (_, index) => {
        const place = of("scan_input_directions", index) === 1 ? rounds - 1 - round : round;
        const at = this.constant(scalar("int64", place), `${node.outputs[0]}/round`);
        const output = this.fresh(`${node.inputs[carried + index]}/step`);
        const axis = { i: of("scan_input_axes", index) };
        nodes.push(this.node(node, "Gather", [node.inputs[carried + index], at], output, { axis }));
        return output;
      });
      const names = this.roundNames(node, body.outputs.length, carried, round === rounds - 1);
      nodes.push(...this.body(node, body, [...values, ...cut], names));
      values = names.slice(0, carried);
      slices.push(names.slice(carried));
    }
    for (let output = carried; output < node.outputs.length; output++) {
      const index = output - carried;
      const parts = slices.map((round) => round[index]);
      if (of("scan_output_directions", index) === 1) parts.reverse();
      nodes.push(...this.stack(node, node.outputs[output], parts, of("scan_output_axes", index)));
    }
    return nodes;
  }

  /** The carried values of the last round are the node's own; all else gets names of its own. */
  private roundNames(node: Node, count: number, carried: number, isLast: boolean): string[] {
    return Array.from({ length: count }, (_, index) => {
      const own = index < carried && isLast ? node.outputs[index] : "";
      return own || this.fresh(`${node.outputs[index] || node.op}/round`);
    });
  }

  private body(node: Node, body: Graph, given: readonly string[], outputs: readonly string[]): Node[] {
    const values = new Map(body.inputs.map((name, index) => [name, given[index]]));
    const bound: Graph = {
      ...body,
      inputs: [],
      nodes: body.nodes.map((inner) => renameReads(inner, values)),
      outputs: body.outputs.map((name) => values.get(name) ?? name),
    };
    const inlined = inlineBranch(node, bound, outputs, this.taken);
    for (const [name, tensor] of inlined.constants) this.constants.set(name, tensor);
    return inlined.nodes;
  }

  private stack(node: Node, output: string, parts: readonly string[], axis: number): Node[] {
    if (output === "") return [];
    const axes = this.constant(int64([1], [axis]), `${output}/axis`);
    const wide = parts.map((part) => this.node(node, "Unsqueeze", [part, axes], this.fresh(`${part}/slice`)));
    const names = wide.map((made) => made.outputs[0]);
    return [...wide, this.node(node, "Concat", names, output, { axis: { i: axis } })];
  }

  private node(
    from: Node,
    op: string,
    inputs: readonly string[],
    output: string,
    given: Record<string, Attr> = {},
  ): Node {
    return { op, domain: "", inputs, outputs: [output], attrs: attrs(given), origin: from.origin };
  }

  private fresh(hint: string): string {
    const name = freshName(hint, this.taken);
    this.taken.add(name);
    return name;
  }

  private constant(tensor: Tensor, hint: string): string {
    const name = this.fresh(hint);
    this.constants.set(name, tensor);
    return name;
  }
}
