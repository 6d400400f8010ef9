import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import type { Attr, DType, Graph, Tensor } from "../../src/ir/graph.ts";
import { attrs, makeGraph } from "../../src/ir/graph.ts";
import { encode } from "../../src/ir/numbers.ts";
import { parse, print } from "../../src/ir/text.ts";

function roundTrip(text: string): string {
  const tensors: Tensor[] = [];
  const printed = print(parse(text), { tensors });
  expect(print(parse(printed, tensors), { tensors: [] })).toBe(printed);
  return printed;
}

describe("print(parse(text))", () => {
  it.each([
    ["a header", "graph main opset 9, com.microsoft 1\ninput x: float32[1,N,?]\nreturn x\n"],
    ["a scalar and an unknown rank", "input x: float32[]\ninput y: float16\nreturn x, y\n"],
    ["quoted names", 'input "a b": float32["3",?]\n"_" = Relu("a b")\nreturn "_"\n'],
    ["absent values", "input x: float32[4]\na, _ = Dropout(x, _, c)\nreturn a\n"],
    ["numbers as names", "input 0: float32[1]\n1 = Relu(0)\nreturn 1\n"],
    ["names with colons", "input x:0: float32[1]\na/b:1 = Relu(x:0)\nreturn a/b:1\n"],
    ["keywords as names", "input: float32[1] = Relu(x)\nreturn = Relu(input)\nreturn return\n"],
    ["a domain", "input x: int8[1]\ny = npu.Table(x)\nz = com.microsoft.Gelu(y)\nreturn z\n"],
    ["a strange operator", 'y = "a b::c.d"(x)\nreturn y\n'],
    ["quantized types", "input x: int8[2,4]{scale=[0.1, 0.2], zero=[1, -3], axis=0}\nreturn x\n"],
    ["blocks", "const w: int4[1,4]{scale=[0.5, 2], axis=1, block=2} = [-8, 7, 0, 1]\nreturn w\n"],
    ["multipliers", "const w: int4[1,4]{scale=0.5, axis=0, multipliers=[3, 17], each=2} = [-8, 7, 0, 1]\nreturn w\n"],
    ["a state", "input h: float32[2]\nstate hN -> h = zeros\nhN = Relu(h)\nreturn hN\n".replace("zeros", "[0, 0]")],
    ["a state of another type", "input h: float32[N]\nstate hN -> h: float32[2] = [1, 2]\nhN = Relu(h)\nreturn hN\n"],
    ["origin", 'y = Relu(x)  # origin: /conv1/Conv, "two words"\nreturn y\n'],
    ["metadata", 'metadata "a" = "line\\nbreak"\nmetadata "b" = ""\nreturn x\n'],
    ["containers", "y: sequence(float32[1,2]) = SequenceConstruct(x)\nreturn y\n"],
    [
      "attributes",
      'y = F(x) a=1 b=-9223372036854775808 c=1.0 d=1e-5 e="x\\"y" f=[1,2] g=[0.5,1.0] h=["a"] i=[] j=floats[] ' +
        'k=strings[] l=tensor(int64[2] = [1, 2]) m=tensors(int8[1] = [1], bool[1] = [0]) n=raw("AQI=") o=inf p=nan\nreturn y\n',
    ],
    [
      "a subgraph",
      "y = If(c) else_branch={\n  b = Relu(x)\n  return b\n} then_branch={\n  return x\n}  # origin: n\nreturn y\n",
    ],
    ["subgraphs", "y = F(c) all=graphs({\n  return x\n}, {\n  return y\n})\nreturn y\n"],
    ["no outputs", "= F(x)\nreturn x\n"],
    ["strings", 'const s: string[2] = ["a", "b\\u0000"]\nreturn s\n'],
  ])("keeps %s", (_, text) => {
    const tidy = roundTrip(text);
    expect(tidy).toBe(text.replaceAll("1e-5", "0.00001"));
  });

  it("keeps large tensors beside the text", () => {
    const text = "const w: float32[4,5] = random(7)\nconst q: int8[20]{scale=0.5} = random(1)\nreturn w, q\n";
    expect(roundTrip(text)).toBe(
      "const w: float32[4,5] = data(0)\nconst q: int8[20]{scale=0.5} = data(1)\nreturn w, q\n",
    );
  });

  it("shows people a digest", () => {
    expect(print(parse("const w: float32[4,5] = random(7)\nreturn w"))).toMatch(/= data\(sha256:[0-9a-f]{12}\)/);
  });

  it("reads generated values", () => {
    const graph = parse("const a: float32[2,2] = iota\nconst b: int64[3] = ones\nconst c: float16[] = 1.5");
    expect(graph.constants.get("a")?.data).toEqual(new Float32Array([0, 1, 2, 3]));
    expect(graph.constants.get("b")?.data).toEqual(new BigInt64Array([1n, 1n, 1n]));
    expect(graph.constants.get("c")?.data).toEqual(new Uint16Array([0x3e00]));
  });

  it("reads a one-line subgraph", () => {
    const graph = parse("y = If(c) then_branch={ return a } else_branch={ return b }\nreturn y");
    expect(graph.nodes[0].attrs.size).toBe(2);
  });
});

describe("parse", () => {
  it.each([
    ["y = Relu(x", "line 1"],
    ["return x\ny = = Relu(x)", "line 2"],
    ["const w: floot[1] = [1]", "line 1"],
    ["const w: float32[2] = [1]", "line 1"],
    ["const w: int8[1] = [200]", "line 1"],
    ["const w: float32[1] = data(0)", "line 1"],
    ["const w: float32[100000,100000] = zeros", "line 1"],
    ["const w: float32[99999999999999999999,0] = data(0)", "line 1"],
    ["const w: float32[1e300,1e300] = zeros", "line 1"],
    ["const w: float32[1] = [1]\nconst w: float32[1] = [1]", "line 2"],
    ['y = F("open)', "line 1"],
    ["y = F(x) a=b", "line 1"],
    ["y = F(x) }", "line 1"],
  ])("says where %j is wrong", (text, where) => {
    try {
      parse(text);
    } catch (error) {
      expect(error).toBeInstanceOf(CompileError);
      expect((error as CompileError).where).toBe(where);
      return;
    }
    expect.unreachable("it was accepted");
  });

  it("does not overflow on nested graphs", () => {
    expect(() => parse("y = F(x) a={ ".repeat(100_000))).toThrow(/nested deeper/);
  });
});

const name = fc.oneof(fc.stringMatching(/^[a-z0-9./:_-]{1,8}$/), fc.string({ minLength: 1, maxLength: 6 }));
const single = fc.float({ noNaN: true });
const attr: fc.Arbitrary<Attr> = fc.oneof(
  fc.record({ i: fc.oneof(fc.integer(), fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n })) }),
  fc.record({ f: single }),
  fc.record({ s: fc.string() }),
  fc.record({ ints: fc.array(fc.integer()) }),
  fc.record({ floats: fc.array(single) }),
  fc.record({ strings: fc.array(fc.string()) }),
);
const dtypes: DType[] = ["float32", "float16", "bfloat16", "float64", "int8", "int32", "bool"];
const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 40 }), single)
  .map(([dtype, bits, value]) => {
    const scale = dtype.includes("float") ? value : 1;
    return {
      dtype,
      shape: [bits.length],
      data: encode(
        dtype,
        bits.map((bit) => bit * scale),
      ),
    };
  });
const graphs: fc.Arbitrary<Graph> = fc
  .record({
    inputs: fc.uniqueArray(name, { maxLength: 3 }),
    outputs: fc.array(name, { maxLength: 3 }),
    constants: fc.array(fc.tuple(name, tensor), { maxLength: 3 }).map((entries) => new Map(entries)),
    metadata: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 2 }).map((entries) => new Map(entries)),
    opsets: fc.array(fc.tuple(fc.string(), fc.nat()), { maxLength: 2 }).map((entries) => new Map(entries)),
    name: fc.string(),
    nodes: fc.array(
      fc.record({
        op: fc.oneof(
          fc.constant("Relu"),
          fc.string({ minLength: 1 }).filter((op) => !op.includes("::")),
        ),
        domain: fc.constantFrom("", "npu", "com.microsoft"),
        inputs: fc.array(fc.oneof(name, fc.constant(""))),
        outputs: fc.array(name, { minLength: 1, maxLength: 3 }),
        attrs: fc.array(fc.tuple(name, attr), { maxLength: 3 }).map((entries) => attrs(Object.fromEntries(entries))),
        origin: fc.array(name, { maxLength: 2 }),
      }),
      { maxLength: 4 },
    ),
  })
  .map((parts) => makeGraph({ ...parts, types: new Map(parts.inputs.map((input) => [input, { dtype: "int8" }])) }));

describe("any graph", () => {
  it("survives print and parse", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const tensors: Tensor[] = [];
        const text = print(graph, { tensors });
        const back = parse(text, tensors);
        expect(print(back, { tensors: [] })).toBe(text);
        expect(
          back.nodes.map(({ inputs, outputs, op, domain, origin }) => [inputs, outputs, op, domain, origin]),
        ).toEqual(graph.nodes.map(({ inputs, outputs, op, domain, origin }) => [inputs, outputs, op, domain, origin]));
        for (const [key, value] of graph.constants) expect(back.constants.get(key)).toEqual(value);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
