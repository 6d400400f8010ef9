import { describe, expect, it } from "vitest";
import { forwardValues, removeDead, renameReads } from "../../src/ir/edit.ts";
import { parse, print } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";

function forwarded(text: string, forwards: Record<string, string>): string {
  const graph = forwardValues(parse(text), new Map(Object.entries(forwards)));
  expect(verify(graph)).toBeUndefined();
  return print(graph).trim();
}

describe("forwardValues", () => {
  it("follows chains and drops the nodes", () => {
    expect(forwarded("input x\na = I(x)\nb = I(a)\ny = Neg(b)\nreturn y", { a: "x", b: "a" })).toBe(
      "input x\ny = Neg(x)\nreturn y",
    );
  });
  it("gives a source the output's name, in subgraphs too", () => {
    const text = "input c\na = Relu(c)\ny = I(a)\nz = If(a) then_branch={ return a }\nreturn y, z";
    expect(forwarded(text, { y: "a" })).toBe(
      "input c\ny = Relu(c)\nz = If(y) then_branch={\n  return y\n}\nreturn y, z",
    );
  });
  it("keeps both names where one source would need two", () => {
    const text = "input x\na = Relu(x)\ny = I(a)\nz = I(a)\nreturn y, z";
    expect(forwarded(text, { y: "a", z: "a" })).toBe("input x\ny = Relu(x)\nz = I(y)\nreturn y, z");
  });
  it("moves states along", () => {
    expect(
      forwarded("input h: float32[1]\nstate g -> h = zeros\na = Relu(h)\ng = I(a)\nreturn a", { g: "a" }),
    ).toContain("state a -> h");
  });
  it("leaves the graph as it is where nothing can be done", () => {
    const graph = parse("input x\ny = I(x)\nreturn y");
    expect(forwardValues(graph, new Map([["y", "x"]]))).toBe(graph);
  });
  it("does not forward what is quantized by itself", () => {
    const graph = parse("input x: float32[1]\na: int8[1]{scale=1} = I(x)\ny = Neg(a)\nreturn y");
    expect(forwardValues(graph, new Map([["a", "x"]]))).toBe(graph);
  });
});

describe("removeDead", () => {
  it("drops chains, constants and types, but no inputs", () => {
    const graph = removeDead(
      parse("input x\ninput z\nconst k: float32[1] = [1]\na: float32[1] = Add(z, k)\nb = Neg(a)\ny = Neg(x)\nreturn y"),
    );
    expect(print(graph).trim()).toBe("input x\ninput z\ny = Neg(x)\nreturn y");
    expect(graph.types.size).toBe(0);
    expect(removeDead(graph)).toBe(graph);
  });
});

describe("renameReads", () => {
  it("does not touch what a subgraph makes itself", () => {
    const graph = parse("y = If(c) then_branch={ a = Neg(x)\nreturn a }\nreturn y");
    const node = renameReads(
      graph.nodes[0],
      new Map([
        ["x", "u"],
        ["a", "v"],
      ]),
    );
    expect(print({ ...graph, nodes: [node] })).toContain("a = Neg(u)\n  return a");
    expect(renameReads(graph.nodes[0], new Map([["a", "v"]]))).toBe(graph.nodes[0]);
  });
});
