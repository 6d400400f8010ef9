import { describe, expect, it } from "vitest";
import type { CompileError } from "../../src/error.ts";
import { parse, print } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";

function typesOf(text: string): Record<string, string> {
  const lines = print(inferTypes(parse(text))).split("\n");
  const found = lines.map((line) => /^(\w+): (\S+) =/.exec(line)).filter((match) => match !== null);
  return Object.fromEntries(found.map((match) => [match[1], match[2]]));
}

describe("inferTypes", () => {
  it("walks the nodes, symbols included", () => {
    const types = typesOf("input x: float32[1,N]\ny = Relu(x)\nz = Add(y, y)\nreturn z");
    expect(types).toEqual({ y: "float32[1,N]", z: "float32[1,N]" });
  });

  it("follows a chain of shapes", () => {
    const types = typesOf(`
      input x: float32[2,12,64]
      const zero: int64[1] = [0]
      const rest: int64[1] = [-1]
      s = Shape(x)
      n = Gather(s, zero)
      t = Concat(n, rest) axis=0
      y = Reshape(x, t)
      return y
    `);
    expect(types.y).toBe("float32[2,768]");
  });

  it("keeps quantization, and tells the operators float32", () => {
    const types = typesOf("input x: float32[4]\ny: int8[4]{scale=0.5} = Relu(x)\nz = Add(y, x)\nreturn z");
    expect(types).toEqual({ y: "int8[4]{scale=0.5}", z: "float32[4]" });
  });

  it("types subgraphs and what they capture", () => {
    const graph = inferTypes(
      parse(
        "input c: bool[]\ninput x: float32[3]\n" +
          "y = If(c) then_branch={ a = Relu(x)\nreturn a } else_branch={ b = Neg(x)\nreturn b }\nreturn y",
      ),
    );
    expect(print(graph)).toContain("a: float32[3] = Relu(x)");
    expect(graph.types.get("y")).toEqual({ dtype: "float32", shape: [3] });
  });

  it("returns the same object when nothing is new", () => {
    const once = inferTypes(parse("input x: float32[3]\ny = Relu(x)\nreturn y"));
    expect(inferTypes(once)).toBe(once);
  });

  it("forgets types of values that are gone", () => {
    const graph = inferTypes(parse("input x: float32[3]\ny = Relu(x)\nreturn y"));
    expect([...inferTypes({ ...graph, nodes: [], outputs: ["x"] }).types.keys()]).toEqual(["x"]);
  });

  it.each([
    ["input x: float32[3]\ny = Quux(x)  # origin: layer3\nreturn y", "model/unknown-operator", /layer3/],
    [
      "input x: float32[3]\ninput z: float32[4]\ny = Add(x, z)  # origin: add1\nreturn y",
      "model/shape-mismatch",
      /add1/,
    ],
    ["input x\ny = Relu(x)\nreturn y", "model/unknown-type", /x/],
  ])("says where %j is wrong", (text, code, where) => {
    try {
      inferTypes(parse(text));
    } catch (error) {
      expect((error as CompileError).code).toBe(code);
      expect((error as CompileError).where).toMatch(where);
      return;
    }
    expect.unreachable("it was accepted");
  });
});
