import { describe, expect, it } from "vitest";
import { relativeError } from "../../src/check.ts";
import { elementCount, type Graph, isStatic, type Node, type Tensor } from "../../src/ir/graph.ts";
import { encode } from "../../src/ir/numbers.ts";
import { hashText } from "../../src/ir/random.ts";
import { randomValues } from "../../src/ir/text/values.ts";
import { parse, print } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import type { Feeds } from "../../src/pass.ts";
import { loadPass, runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";

export interface PassCase {
  readonly name: string;
  readonly before: string;
  /** The graph that the pass makes of it. Constants' values are not compared here: the numbers that come out are. */
  readonly after: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** max|Δ| / max|y| that the outputs may differ by; 1e-5 unless said otherwise. */
  readonly tolerance?: number;
}

export interface KeptGraph {
  /** Why the pass must leave it alone. */
  readonly name: string;
  readonly graph: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * A pass's whole test: for each case the printed graph, equal outputs under the interpreter on seeded inputs, a second run
 * that returns the same object, origins that survive, and an untouched input graph; and graphs it must keep as they are.
 */
export function testPass(pass: string, cases: readonly PassCase[], keeps: readonly KeptGraph[]): void {
  describe(pass, () => {
    it.each(cases)("$name", async (each) => {
      const before = prepare(each.before);
      const printed = print(before);
      const after = await runOnce(pass, before, each.options);
      expect(skeleton(after)).toBe(skeleton(parse(each.after)));
      expect(print(before)).toBe(printed);
      expect(await runOnce(pass, after, each.options)).toBe(after);
      expectOrigins(before, after);
      if (loadPass(pass).lossy !== true) expectSameNumbers(before, after, each.tolerance ?? 1e-5);
    });
    it.each(keeps)("leaves alone: $name", async ({ graph, options }) => {
      const before = prepare(graph);
      expect(await runOnce(pass, before, options)).toBe(before);
    });
  });
}

/** The graph with types, and an origin for every node that has none: its first output's name. */
export function prepare(text: string): Graph {
  const graph = inferTypes(parse(text));
  expect(verify(graph)).toBeUndefined();
  const named = (node: Node): Node =>
    node.origin.length > 0 ? node : { ...node, origin: [`node-${node.outputs.find((name) => name !== "")}`] };
  return { ...graph, nodes: graph.nodes.map(named) };
}

async function runOnce(pass: string, graph: Graph, options: Readonly<Record<string, unknown>> = {}): Promise<Graph> {
  return (await runPasses(graph, [{ pass, ...options }])).graph;
}

/** The graph without the constants' values, their order and the origins: what a pass's table says. */
function skeleton(graph: Graph): string {
  const lines = print(graph, { types: false, origins: false }).split("\n");
  const isConstant = (line: string): boolean => line.startsWith("const ");
  const constants = lines.filter(isConstant).map((line) => line.slice(0, line.indexOf(" = ")));
  return [...constants.sort(), ...lines.filter((line) => !isConstant(line))].join("\n");
}

function expectOrigins(before: Graph, after: Graph): void {
  const known = new Set(before.nodes.flatMap((node) => node.origin));
  for (const node of after.nodes) {
    expect(node.origin, `origin of ${node.outputs[0]}`).not.toHaveLength(0);
    // A subgraph that was taken in brings the origins of its own nodes.
    if (before.nodes.some((each) => each.op === "If")) continue;
    for (const name of node.origin) expect(known).toContain(name);
  }
}

/** Seeded values for every input: floats in [−3, 3), so that both sides of usual limits are met. */
export function seededFeeds(graph: Graph, seed = 1): Feeds {
  const feeds = new Map<string, Tensor>();
  for (const name of graph.inputs) {
    const type = graph.types.get(name);
    if (type === undefined || !isStatic(type.shape)) throw new Error(`the input ${name} needs a static shape`);
    const [low, high] = type.dtype.includes("float") ? [-3, 3] : [undefined, undefined];
    const values = randomValues(type.dtype, elementCount(type.shape), (seed + hashText(name)) >>> 0, low, high);
    feeds.set(name, { dtype: type.dtype, shape: type.shape, data: encode(type.dtype, values) });
  }
  return feeds;
}

export function expectSameNumbers(before: Graph, after: Graph, tolerance: number): void {
  for (const seed of [1, 2]) {
    const feeds = seededFeeds(before, seed);
    const [a, b] = [interpret(before, feeds), interpret(after, feeds)];
    for (const name of before.outputs) {
      expect(relativeError(a.get(name), b.get(name)), `output ${name}`).toBeLessThanOrEqual(tolerance);
    }
  }
}
