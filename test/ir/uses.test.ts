import { expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { capturesOf, countUses, namesOf, readsOf } from "../../src/ir/uses.ts";

const graph = parse(`
  input x
  input h: float32[1]
  state b -> h = zeros
  a = Add(x, x)
  b = If(c) then_branch={
    d = Neg(a)
    e = If(d) then_branch={ return x } else_branch={ return d }
    return e
  } else_branch={ return a }
  return b
`);

it("sees what subgraphs read, however deep", () => {
  const [then, otherwise] = [...graph.nodes[1].attrs.values()].map((attr) => ("g" in attr ? attr.g : graph));
  expect([...capturesOf(then)].sort()).toEqual(["a", "x"]);
  expect([...capturesOf(otherwise)]).toEqual(["a"]);
  expect(readsOf(graph.nodes[1]).sort()).toEqual(["a", "a", "c", "x"]);
});

it("counts inputs, subgraphs, outputs and states", () => {
  expect(Object.fromEntries(countUses(graph))).toEqual({ x: 3, a: 2, c: 1, b: 2 });
});

it("knows every name", () => {
  expect([...namesOf(graph)].sort()).toEqual(["a", "b", "c", "d", "e", "h", "x"]);
});
