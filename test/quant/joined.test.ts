import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { verify } from "../../src/ir/verify.ts";
import { joinVariants } from "../../src/quant/joined.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

/** The graph with other weights, or with a node behind a value that others then read instead. */
function withTensor(graph: Graph, name: string, change: (value: number) => number): Graph {
  const old = graph.constants.get(name) as Tensor;
  const tensor = { ...old, data: Float32Array.from(old.data as Float32Array, change) };
  return { ...graph, constants: new Map(graph.constants).set(name, tensor) };
}

const CHAIN = `
  input x: float32[2,4]
  const w: float32[4,4] = random(1)
  const v: float32[4,4] = random(2)
  const u: float32[4,4] = random(3)
  a = MatMul(x, w)
  b = Relu(a)
  c = MatMul(b, v)
  d = Add(c, b)
  y = MatMul(d, u)
  return y
`;

describe("joinVariants", () => {
  it("gives every variant's values, and computes only once what comes before their differences", () => {
    const graph = prepare(CHAIN);
    const variants = ["w", "v", "u"].map((name) => withTensor(graph, name, (value) => value * 1.5));
    const { graph: joined, nameOf } = joinVariants(graph, variants);
    expect(verify(joined)).toBeUndefined();
    const feeds = seededFeeds(graph, 7);
    const outputs = [...new Set(["y", ...nameOf.map((of) => of("y"))])];
    const made = interpret({ ...joined, outputs }, feeds);
    expect(outputs).toHaveLength(4);
    expect(made.get("y")).toEqual(interpret(graph, feeds).get("y"));
    for (const [index, variant] of variants.entries()) {
      expect(made.get(nameOf[index]("y"))).toEqual(interpret(variant, feeds).get("y"));
    }
    // Five nodes of the graph; then all, three and one again.
    expect(joined.nodes).toHaveLength(5 + 5 + 3 + 1);
  });

  it("is the graph itself where a variant does not differ", () => {
    const graph = prepare(CHAIN);
    const { graph: joined, nameOf } = joinVariants(graph, [{ ...graph, nodes: [...graph.nodes] }]);
    expect(joined.nodes).toEqual(graph.nodes);
    expect(nameOf[0]("y")).toBe("y");
  });

  it("gives a variant states of its own where they take other values, and where another state makes them", () => {
    const graph = prepare(`
      input x: float32[1,4]
      input first: float32[1,4]
      state nextFirst -> first: float32[1,4] = [0,0,0,0]
      input second: float32[1,4]
      state nextSecond -> second: float32[1,4] = [0,0,0,0]
      input third: float32[1,4]
      state nextThird -> third: float32[1,4] = [0,0,0,0]
      const w: float32[4,4] = random(1)
      a = MatMul(x, w)
      nextFirst = Add(a, first)
      nextSecond = Add(first, second)
      nextThird = Add(x, third)
      y = Add(second, third)
      return y
    `);
    const variant = withTensor(graph, "w", (value) => -value);
    const { graph: joined, nameOf } = joinVariants(graph, [variant]);
    expect(verify(joined)).toBeUndefined();
    expect(joined.states.map(({ output }) => output)).toEqual([
      ...graph.states.map(({ output }) => output),
      nameOf[0]("nextFirst"),
      nameOf[0]("nextSecond"),
    ]);
    expect(nameOf[0]("third")).toBe("third");
    expect(nameOf[0]("y")).not.toBe("y");
  });
});
