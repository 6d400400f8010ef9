import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { parse, print } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";

function shown(graph: Graph): string {
  expect(verify(graph)).toBeUndefined();
  return print(graph).trim();
}

/** Replaces the match by one node that keeps the captures as inputs. */
function mark(match: string | string[], names: string[] = ["x"], constants: string[] = []) {
  return rewrite({
    summary: "Marks.",
    match,
    constants,
    replace: ({ value }) => ({ op: "Marked", inputs: names.map(value) }),
  });
}

describe("rewrite", () => {
  it.each([
    ["a chain", "a = Relu(x)\n y = Neg(a)", "b = Relu(p)\nq = Neg(b)\nreturn q", "q = Marked(p)\nreturn q"],
    [
      "commutative operands",
      "a = Relu(x)\n y = Add(x, a)",
      "b = Relu(p)\nq = Add(b, p)\nreturn q",
      "q = Marked(p)\nreturn q",
    ],
    ["anything", "y = Add(x, _)", "q = Add(p, p)\nreturn q", "q = Marked(p)\nreturn q"],
    ["an absent input", 'y = Clip(x, "", _)', "q = Clip(p, _, p)\nreturn q", "q = Marked(p)\nreturn q"],
    ["an optional input", "y = Clip(x, low?)", "q = Clip(p)\nreturn q", "q = Marked(p)\nreturn q"],
    ["attributes", "y = Elu(x) alpha=0.1", "q = Elu(p) alpha=0.1\nreturn q", "q = Marked(p)\nreturn q"],
    ["a domain", "y = npu.Table(x)", "q = npu.Table(p)\nreturn q", "q = Marked(p)\nreturn q"],
    ["one of several outputs", "y = Split(x)", "q, _ = Split(p)\nreturn q", "q, _ = Marked(p)\nreturn q"],
    [
      "again and again",
      "a = Marked(x)\n y = Neg(a)",
      "a = Marked(p)\nb = Neg(a)\nq = Neg(b)\nreturn q",
      "q = Marked(p)\nreturn q",
    ],
  ])("matches %s", (_, match, before, after) => {
    expect(shown(mark(match).run(parse(`input p\n${before}`)))).toBe(`input p\n${after}`);
  });

  it.each([
    [
      "an inner value is read elsewhere",
      "a = Relu(x)\n y = Neg(a)",
      "b = Relu(p)\nq = Neg(b)\nr = Exp(b)\nreturn q, r",
    ],
    ["an inner value is an output", "a = Relu(x)\n y = Neg(a)", "b = Relu(p)\nq = Neg(b)\nreturn q, b"],
    ["an inner value is quantized", "a = Relu(x)\n y = Neg(a)", "b: int8[1]{scale=1} = Relu(p)\nq = Neg(b)\nreturn q"],
    [
      "a subgraph captures an inner value",
      "a = Relu(x)\n y = Neg(a)",
      "b = Relu(p)\nq = Neg(b)\nr = If(p) then_branch={ return b }\nreturn q, r",
    ],
    ["captures differ", "a = Relu(x)\n y = Add(x, a)", "b = Relu(p)\nc = Exp(p)\nq = Add(b, c)\nreturn q"],
    ["an input too many", "y = Clip(x)", "q = Clip(p, p)\nreturn q"],
    ["another attribute", "y = Elu(x) alpha=0.1", "q = Elu(p) alpha=0.2\nreturn q"],
    ["another domain", "y = Table(x)", "q = npu.Table(p)\nreturn q"],
    ["the other order", "a = Relu(x)\n y = Sub(x, a)", "b = Relu(p)\nq = Sub(b, p)\nreturn q"],
    ["a second output is read", "y = Split(x)", "q, r = Split(p)\nreturn q, r"],
  ])("leaves the graph as it is where %s", (_, match, before) => {
    const graph = parse(`input p\n${before}`);
    expect(mark(match).run(graph)).toBe(graph);
  });

  it("compares numbers within 1e-6, and does not let them widen the value", () => {
    const rule = mark("y = Mul(x, 0.16666667)");
    const head = "input p: float32[2]\n";
    expect(rule.run(parse(`${head}const c: float32[1] = [0.16666666]\nq = Mul(c, p)\nreturn q`)).nodes[0].op).toBe(
      "Marked",
    );
    for (const tensor of ["float32[] = 0.1667", "float32[1,1] = 0.16666667", "float32[2] = 0.16666667"]) {
      const graph = parse(`${head}const c: ${tensor}\nq = Mul(c, p)\nreturn q`);
      expect(rule.run(graph)).toBe(graph);
    }
  });

  it("finds the constant on either side", () => {
    const rule = mark("y = Mul(x, c)", ["x"], ["c"]);
    for (const inputs of ["p, k", "k, p"]) {
      const graph = rule.run(parse(`input p\nconst k: float32[1] = [2]\nq = Mul(${inputs})\nreturn q`));
      expect(shown(graph)).toBe("input p\nq = Marked(p)\nreturn q");
    }
  });

  it("merges origins, and gives a constant its old name if nothing else reads it", () => {
    const rule = rewrite({
      summary: "Doubles.",
      match: "a = Mul(x, c)\n y = Neg(a)",
      constants: ["c"],
      replace: ({ value }) => ({ op: "Scaled", inputs: [value("x"), constant(float32([1], [4]), "c")] }),
    });
    const head = "input p\nconst k: float32[1] = [2]\na = Mul(p, k)  # origin: m\nq = Neg(a)  # origin: b, n\n";
    expect(shown(rule.run(parse(`${head}return q`)))).toBe(
      "input p\nconst k: float32[1] = [4]\nq = Scaled(p, k)  # origin: b, m, n\nreturn q",
    );
    expect(shown(rule.run(parse(`${head}return q, k`)))).toContain("const k_1: float32[1] = [4]");
  });

  it("puts several nodes in place of a match", () => {
    const rule = rewrite({
      summary: "Splits.",
      match: "y = Pair(x)",
      replace({ value, fresh }) {
        const middle = fresh("middle");
        return [
          { op: "Relu", inputs: [value("x")], outputs: [middle] },
          { op: "Neg", inputs: [middle] },
        ];
      },
    });
    expect(shown(rule.run(parse("input middle\na = Pair(middle)\nq = Pair(a)\nreturn q")))).toBe(
      "input middle\nmiddle_1 = Relu(middle)\na = Neg(middle_1)\nmiddle_2 = Relu(a)\nq = Neg(middle_2)\nreturn q",
    );
  });

  it("raises the opset where the new operator needs it", () => {
    const rule = rewrite({
      summary: "New.",
      opset: 24,
      match: "y = Old(x)",
      replace: ({ value }) => ({ op: "New", inputs: [value("x")] }),
    });
    expect(rule.run(parse("input p\nq = Old(p)\nreturn q")).opsets.get("")).toBe(24);
    expect(rule.run(parse("input p\nq = Neg(p)\nreturn q")).opsets.get("")).toBe(21);
  });

  it("does not go on forever", () => {
    expect(() => mark("y = Marked(x)").run(parse("input p\nq = Marked(p)\nreturn q"))).toThrow(/does not end/);
  });

  it("fuses in one walk: work grows with the graph, not with its square", () => {
    let calls = 0;
    const rule = rewrite({
      summary: "Counts.",
      match: "a = Relu(x)\n y = Neg(a)",
      replace({ value }) {
        calls++;
        return { op: "Marked", inputs: [value("x")] };
      },
    });
    const pairs = Array.from(
      { length: 2000 },
      (_, index) => `a${index} = Relu(b${index})\nb${index + 1} = Neg(a${index})`,
    );
    const graph = rule.run(parse(`input b0\n${pairs.join("\n")}\nreturn b2000`));
    expect(graph.nodes).toHaveLength(2000);
    expect(calls).toBe(2000);
  });
});
