import { describe, expect, test } from "vitest";
import { loadInteger } from "../../src/emulate/integer.ts";
import { CompileError } from "../../src/error.ts";
import { attrs, makeGraph, type Tensor, type Type } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { bytesOf, makeTensor, numbersOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { build, type Case, codes, type Draw, drawFrom, post } from "./cases.ts";
import { GENERATORS } from "./generators.ts";

describe("the fast executor computes what the oracle computes", () => {
  test.each(Object.keys(GENERATORS))("%s", (op) => {
    for (let seed = 0; seed < 80; seed++) {
      const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
      const expected = interpret(graph, feeds).get("y") as Tensor;
      const program = loadInteger(graph);
      const actual = program.run(feeds).get("y") as Tensor;
      const context = `seed ${seed}: ${JSON.stringify([...graph.nodes[0].attrs])}`;
      expect(actual.dtype, context).toBe(expected.dtype);
      expect(actual.shape, context).toEqual(expected.shape);
      expect(numbersOf(actual), context).toEqual(numbersOf(expected));
    }
  });
});

describe("products of the same operands, one after the other, share their sums", () => {
  test.each(["Conv", "MatMul"])("%s", (op) => {
    for (let seed = 0; seed < 80; seed++) {
      const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
      const [node] = graph.nodes;
      const constants = new Map(graph.constants);
      const bias = constants.get(node.inputs[2] ?? "");
      const twin = { ...node, inputs: [...node.inputs], outputs: ["z"] };
      // A bias is the node's own: its twin may have none.
      if (bias && op === "MatMul" && seed % 3 === 0) twin.inputs[2] = "";
      else if (bias) {
        twin.inputs[2] = "other";
        constants.set(
          "other",
          makeTensor(
            "int32",
            bias.shape,
            Int32Array.from(numbersOf(bias), (code) => code + 77),
          ),
        );
      }
      const bounds = { y_min: { i: -90 }, y_max: { i: 50 }, ...(seed % 2 === 0 && { y_zero: { i: 0 } }) };
      const attributes = new Map([...node.attrs, ...attrs(bounds)]);
      const nodes = [node, { ...twin, attrs: attributes }];
      const types = new Map(graph.types).set("z", graph.types.get("y") as Type);
      const both = { ...graph, nodes, constants, types, outputs: ["y", "z"] };
      const expected = interpret(both, feeds);
      const actual = loadInteger(both).run(feeds);
      for (const name of both.outputs) {
        const context = `seed ${seed}, ${name}: ${JSON.stringify([...attributes])}`;
        expect(numbersOf(actual.get(name) as Tensor), context).toEqual(numbersOf(expected.get(name) as Tensor));
      }
    }
  });
});

describe("tiles that do not fit the cache at once", () => {
  const stage = (draw: Draw, channels: number, reach: number) =>
    post(draw, channels, reach, { variant: "tosa-single" });
  const cases: Record<string, (draw: Draw) => Case> = {
    "windows over many rows": (draw) => {
      const { inputs, attributes } = stage(draw, 6, 2 ** 18);
      return build({
        op: "Conv",
        feeds: { x: codes(draw, "int8", [1, 16, 41, 83]) },
        inputs: ["x", codes(draw, "int8", [6, 16, 3, 3], -127), codes(draw, "int32", [6], -999, 999), ...inputs],
        attributes: { ...attributes, x_zero: { i: 5 }, pads: { ints: [1, 1, 1, 1] } },
      });
    },
    "one long row": (draw) => {
      const { inputs, attributes } = stage(draw, 5, 2 ** 17);
      return build({
        op: "Conv",
        feeds: { x: codes(draw, "int8", [1, 25, 4001]) },
        inputs: ["x", codes(draw, "int8", [5, 25, 3], -127), codes(draw, "int32", [5], -999, 999), ...inputs],
        attributes: { ...attributes, x_zero: { i: -3 }, strides: { ints: [2] }, pads: { ints: [1, 0] } },
      });
    },
    "a 1×1 kernel in 16 bits": (draw) => {
      const { inputs, attributes } = post(draw, 7, 2 ** 25, { variant: "wide" });
      return build({
        op: "Conv",
        feeds: { x: codes(draw, "int16", [1, 91, 30, 61]) },
        inputs: ["x", codes(draw, "int8", [7, 91, 1, 1], -127), codes(draw, "int32", [7], -999, 999), ...inputs],
        attributes,
      });
    },
    "a wide product": (draw) => {
      const { inputs, attributes } = stage(draw, 1003, 2 ** 18);
      return build({
        op: "MatMul",
        feeds: { a: codes(draw, "int8", [7, 301]) },
        inputs: ["a", codes(draw, "int8", [301, 1003], -127), codes(draw, "int32", [1003], -999, 999), ...inputs],
        attributes: { ...attributes, a_zero: { i: 11 } },
      });
    },
  };
  test.each(Object.keys(cases))("%s", (name) => {
    let varied = 0;
    for (let seed = 0; seed < 4; seed++) {
      const { graph, feeds } = cases[name](drawFrom(seededRandom(`${name} ${seed}`)));
      const expected = interpret(graph, feeds).get("y") as Tensor;
      const actual = loadInteger(graph).run(feeds).get("y") as Tensor;
      expect(Buffer.compare(bytesOf(actual), bytesOf(expected))).toBe(0);
      varied = Math.max(varied, new Set(numbersOf(actual)).size);
    }
    expect(varied).toBeGreaterThan(20);
  });
});

describe("a program", () => {
  const int8 = (values: number[]) => makeTensor("int8", [values.length], Int8Array.from(values));
  const quant = { scale: Float32Array.of(0.5), zeroPoint: Int32Array.of(1) };
  const type = { dtype: "int8", shape: [3], quant } as const;
  const one = makeTensor("int32", [1], Int32Array.of(2 ** 30));
  const thirty = makeTensor("int32", [1], Int32Array.of(30));
  const add = (a: string, b: string, y: string) => ({
    op: "Add",
    domain: "npu",
    inputs: [a, b, "one", "thirty"],
    outputs: [y],
    attrs: attrs({}),
    origin: [],
  });
  const constants = new Map([
    ["one", one],
    ["thirty", thirty],
  ] as const);

  test("feeds states back until it is reset", () => {
    const program = loadInteger(
      makeGraph({
        inputs: ["x", "s"],
        outputs: ["y"],
        nodes: [add("x", "s", "y")],
        constants,
        types: new Map([
          ["x", { dtype: "int8", shape: [3] }],
          ["s", { dtype: "int8", shape: [3] }],
        ]),
        states: [{ input: "s", output: "y", init: int8([0, 10, 20]) }],
      }),
    );
    const step = () => numbersOf(program.run(new Map([["x", int8([1, 2, 3])]])).get("y") as Tensor);
    expect([step(), step()]).toEqual([
      [1, 12, 23],
      [2, 14, 26],
    ]);
    program.reset();
    expect(step()).toEqual([1, 12, 23]);
  });

  test("hands values to the CPU as real numbers and takes codes back", () => {
    const program = loadInteger(
      makeGraph({
        inputs: ["x"],
        outputs: ["y"],
        nodes: [
          add("x", "x", "twice"),
          { op: "Abs", domain: "", inputs: ["twice"], outputs: ["real"], attrs: attrs({}), origin: [] },
          { op: "Neg", domain: "", inputs: ["real"], outputs: ["codes"], attrs: attrs({}), origin: [] },
          add("codes", "x", "y"),
        ],
        constants,
        types: new Map<string, Type>([
          ["x", { dtype: "int8", shape: [3] }],
          ["twice", type],
          ["real", { dtype: "float32", shape: [3] }],
          ["codes", type],
          ["y", { dtype: "int8", shape: [3] }],
        ]),
      }),
    );
    // twice = −10, 0, 8 stands for −5.5, −0.5, 3.5; minus their size in codes is −10, 0, −6.
    expect(numbersOf(program.run(new Map([["x", int8([-5, 0, 4])]])).get("y") as Tensor)).toEqual([-15, 0, -2]);
  });

  test("quantizes a real feed, and refuses what does not fit", () => {
    const graph = makeGraph({
      inputs: ["x"],
      outputs: ["y"],
      nodes: [add("x", "x", "y")],
      constants,
      types: new Map<string, Type>([
        ["x", type],
        ["y", type],
      ]),
    });
    const program = loadInteger(graph);
    const run = (x: Tensor) => program.run(new Map([["x", x]])).get("y") as Tensor;
    expect(numbersOf(run(makeTensor("float32", [3], Float32Array.of(0.25, 1, -99))))).toEqual([2, 6, -128]);
    expect(() => run(int8([1, 2]))).toThrow(CompileError);
    expect(() => program.run(new Map())).toThrow(/"x" was not given/);
  });

  test("shares the bytes of a value under another shape", () => {
    const reshape = (x: string, y: string, shape: number[]) => ({
      op: "Reshape",
      domain: "npu",
      inputs: [x],
      outputs: [y],
      attrs: attrs({ shape: { ints: shape } }),
      origin: [],
    });
    const graph = makeGraph({
      inputs: ["x"],
      outputs: ["z", "y"],
      nodes: [reshape("x", "y", [3, 1]), reshape("y", "r", [3]), add("r", "x", "z")],
      constants,
      types: new Map<string, Type>([["x", { dtype: "int8", shape: [3] }]]),
    });
    const results = loadInteger(graph).run(new Map([["x", int8([1, 2, 3])]]));
    expect([...results].map(([name, tensor]) => [name, tensor.shape, numbersOf(tensor)])).toEqual([
      ["z", [3], [2, 4, 6]],
      ["y", [3, 1], [1, 2, 3]],
    ]);
  });
});
