import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/ir/graph.ts";
import { print } from "../../src/ir/text.ts";
import { runPasses } from "../../src/passes.ts";
import { expectSameNumbers, prepare } from "./pass.ts";

export interface LoweringCase {
  readonly name: string;
  readonly graph: string;
  /** The operators that it becomes, in order, after dead code is gone. */
  readonly ops: string;
  /** max|Δ| / max|y|; 1e-5 unless said otherwise. */
  readonly tolerance?: number;
}

/**
 * A pass that says an operator with others: which ones, equal numbers under the interpreter, nothing left to do in a second run,
 * origins kept; and graphs that it must leave alone.
 */
export function testLowering(
  pass: string,
  cases: readonly LoweringCase[],
  keeps: readonly { readonly name: string; readonly graph: string }[],
): void {
  describe(pass, () => {
    it.each(cases)("$name", async ({ graph, ops, tolerance }) => {
      const before = prepare(graph);
      const printed = print(before);
      const after = await run(pass, before);
      const alive = await run("simplify/dead-code", after);
      expect(alive.nodes.map((node) => node.op).join(" ")).toBe(ops);
      expect(print(before)).toBe(printed);
      expect(await run(pass, after)).toBe(after);
      const known = new Set(before.nodes.flatMap((node) => node.origin));
      for (const node of after.nodes) expect(node.origin.some((name) => known.has(name))).toBe(true);
      expectSameNumbers(before, after, tolerance ?? 1e-5);
    });
    it.each(keeps)("leaves alone: $name", async ({ graph }) => {
      const before = prepare(graph);
      expect(await run(pass, before)).toBe(before);
    });
  });
}

async function run(pass: string, graph: Graph): Promise<Graph> {
  return (await runPasses(graph, [pass])).graph;
}
