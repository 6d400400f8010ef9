import { describe, expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { FORMATS } from "../../src/quant/format.ts";
import { formatWishes, layerFormats } from "../../src/quant/formats.ts";

const graph = parse(`
  input x: float32[1,4]
  const w: float32[4,4] = zeros
  a = MatMul(x, w)   # origin: block1/first
  b = Relu(a)        # origin: block1/relu
  c = MatMul(b, w)   # origin: block1/second
  d = MatMul(c, w)   # origin: head
  return d
`);

function chosen(formats: Parameters<typeof layerFormats>[1]) {
  const found = layerFormats(graph, formats);
  return graph.nodes.map((node) => [...Object.entries(FORMATS)].find(([, format]) => format === found.get(node))?.[0]);
}

describe("layerFormats", () => {
  it.each([
    [{ head: "W8A16" }, [undefined, undefined, undefined, "W8A16"]],
    [{ "*": "W4A8", head: "W8A8" }, ["W4A8", undefined, "W4A8", "W8A8"]],
    [{ "block1/*": "W4A16", "*second": "W8A8" }, ["W4A16", undefined, "W8A8", undefined]],
    [{ "b*1/*co*d": "W4A8" }, [undefined, undefined, "W4A8", undefined]],
  ] as const)("%j", (formats, expected) => expect(chosen(formats)).toEqual(expected));

  it.each(["block1/relu", "block2/*", "head*head", ""])("%j is no layer", (name) => {
    expect(() => layerFormats(graph, { [name]: "W4A8" })).toThrow(/is no layer/);
  });

  it("wishes are for what a layer reads", () => {
    const wishes = formatWishes(graph, layerFormats(graph, { "block1/*": "W4A16", head: "W4A8" }));
    expect([...wishes.int16]).toEqual(["x", "b"]);
    expect([...wishes.int8]).toEqual(["c"]);
  });
});
