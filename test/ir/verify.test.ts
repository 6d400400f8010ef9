import { describe, expect, it } from "vitest";
import { makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { parse } from "../../src/ir/text.ts";
import { verify } from "../../src/ir/verify.ts";

describe("verify", () => {
  it.each([
    ["a chain", "input x: float32[1]\ny = Relu(x)\nz = Add(y, x)\nreturn z"],
    [
      "captured values",
      "input c: bool[]\ninput x: float32[1]\ny = If(c) then_branch={ return x } else_branch={ z = Relu(x)\nreturn z }\nreturn y",
    ],
    [
      "the same names in two branches",
      "input c: bool[]\ny = If(c) then_branch={ a = F()\nreturn a } else_branch={ a = G()\nreturn a }\nreturn y",
    ],
    ["a state", "input h: float32[1]\nstate g -> h = zeros\ng = Relu(h)\nreturn g"],
    ["scales by channel", "const w: int8[2,3]{scale=[1, 2], axis=0} = zeros\nreturn w"],
    ["scales by block", "const w: int4[2,5]{scale=[1, 2, 3, 4, 5, 6], axis=1, block=2} = zeros\nreturn w"],
    [
      "multipliers by block",
      "const w: int4[2,5]{scale=[1, 2], axis=0, multipliers=[1, 2, 3, 4, 5, 6], each=2} = zeros\nreturn w",
    ],
    ["an input with a default", "input x: float32[1]\nconst x: float32[1] = [1]\nreturn x"],
  ])("accepts %s", (_, text) => expect(verify(parse(text))).toBeUndefined());

  it.each([
    ["y = Relu(z)\nz = F()\nreturn y", '"z" is read before it is made'],
    ["y = Relu(z)\nreturn y", '"z" is read but nothing makes it'],
    ["y = F()\ny = G()\nreturn y", '"y" is made twice'],
    ["input y: float32[1]\ny = G()\nreturn y", '"y" is made twice'],
    ["return y", 'the output "y" is not made'],
    ["x = F()\ny = If(c) then_branch={ return x }\nc = G()\nreturn y", '"c" is read before it is made'],
    [
      "input c: bool[]\ny = If(c) then_branch={ a = Relu(b)\nreturn a }\nb = G()\nreturn y",
      '"b" is read but nothing makes it',
    ],
    ["input c: bool[]\nx = F()\ny = If(c) then_branch={ x = G()\nreturn x }\nreturn y", '"x" is made twice'],
    ["const w: int8[2,3]{scale=[1, 2, 3], axis=0} = zeros", 'the constant "w" has 3 scales where it needs 2'],
    ["const w: int8[2,3]{scale=[1, 2]} = zeros", 'the constant "w" has 2 scales where it needs 1'],
    [
      "const w: int8[2]{scale=[1, 2], zero=[0, 0, 0], axis=0} = zeros",
      'the constant "w" has 3 zero points for 2 scales',
    ],
    ["const w: int8[2]{scale=0} = zeros", 'the constant "w" has a scale that is not a positive number'],
    ["const w: int8[2]{scale=[1, 2], axis=1} = zeros", 'the constant "w" has the quantized axis 1 at rank 1'],
    [
      "const w: int4[2,4]{scale=[1, 2], axis=0, multipliers=[1, 2, 3], each=2} = zeros",
      'the constant "w" has 3 multipliers where it needs 4',
    ],
    [
      "const w: int4[2]{scale=1, multipliers=1, each=2} = zeros",
      'the constant "w" has multipliers, but no scale a channel',
    ],
    [
      "const w: int4[2,2]{scale=[1, 2], zero=1, axis=0, multipliers=[1, 2], each=2} = zeros",
      'the constant "w" has multipliers and a zero point',
    ],
    [
      "const w: int4[2,2]{scale=[1, 2], axis=0, multipliers=[1, 2], each=0} = zeros",
      'the constant "w" has multipliers each 0 elements',
    ],
    ["input x: float32[2]{scale=1}", 'the type of "x" is quantized but stored as float32'],
    ["input h: float32[1]\nstate g -> h = zeros\nreturn h", `the state's value "g" is not made`],
    ["input h: float32[1]\nstate h -> g: float32[1] = zeros\nreturn h", 'the state "g" is not an input'],
  ])("says of %j: %s", (text, sentence) => expect(verify(parse(text))).toBe(sentence));

  it("counts a constant's elements", () => {
    const w: Tensor = { dtype: "float32", shape: [3], data: new Float32Array(2) };
    const graph = makeGraph({ inputs: [], outputs: [], nodes: [], constants: new Map([["w", w]]) });
    expect(verify(graph)).toBe('the constant "w" has 2 elements where [3] needs 3');
  });
});
