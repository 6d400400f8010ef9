import { expect, it } from "vitest";
import { encodeGolden } from "../../src/artifact/golden.ts";
import { fitting, layerErrorsOf } from "../../src/build/errors.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";

it("keeps as many as there is room for, in order, to a tenth", () => {
  const found: [string, number][] = [
    ["a", 20.04],
    ["b", -0.06],
    ["π", 150],
  ];
  expect(fitting(found)).toEqual({
    values: [
      ["a", 20],
      ["b", -0.1],
      ["π", 150],
    ],
    left: 0,
  });
  const bytes = 2 + '["a",20],'.length + '["b",-0.1],'.length;
  expect(fitting(found, bytes)).toEqual({
    values: [
      ["a", 20],
      ["b", -0.1],
    ],
    left: 1,
  });
  expect(fitting(found, bytes - 1)).toEqual({ values: [["a", 20]], left: 2 });
});

it("a teacher that does not run costs a warning, not the build", async () => {
  const graph = inferTypes(parse("input x: float32[2]\ny = Relu(x)\nreturn y"));
  const codes = inferTypes(
    parse("input x: int8[2]{scale=0.5}\ny: int8[2]{scale=0.5} = npu.Reshape(x) shape=[2]\nreturn y"),
  );
  const input = { name: "x", dtype: "int8" as const, shape: [2], bytes: Uint8Array.of(1, 2) };
  const golden = encodeGolden([[{ inputs: [input], outputs: [] }]]);
  const heard: string[] = [];
  expect(await layerErrorsOf(graph, codes, golden, (text) => heard.push(text))).toMatchObject({
    values: [["y", 150]],
    left: 0,
  });
  expect(
    await layerErrorsOf({ ...graph, nodes: [{ ...graph.nodes[0], op: "Nothing" }] }, codes, golden, (text) =>
      heard.push(text),
    ),
  ).toBeUndefined();
  expect(heard).toEqual([expect.stringContaining("the error of each layer could not be told")]);
});

it("what a mask makes infinite is no error", async () => {
  const graph = inferTypes(parse("input x: float32[2]\nconst m: float32[2] = [0, -inf]\ny = Add(x, m)\nreturn y"));
  const codes = inferTypes(
    parse("input x: int8[2]{scale=0.5}\ny: int8[2]{scale=0.5} = npu.Reshape(x) shape=[2]\nreturn y"),
  );
  const input = { name: "x", dtype: "int8" as const, shape: [2], bytes: Uint8Array.of(1, 2) };
  const golden = encodeGolden([[{ inputs: [input], outputs: [] }]]);
  expect(await layerErrorsOf(graph, codes, golden, () => undefined)).toEqual({ values: [["y", 150]], left: 0 });
});
