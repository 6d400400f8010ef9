import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { decodeRecord, encodeRecord } from "../../src/ir/record.ts";
import { parse, print } from "../../src/ir/text.ts";

const graph = parse(`
  graph g opset 21, npu 1
  metadata "k" = "v"
  input x: int8[1,8,4,4]{scale=0.1, zero=-3}
  const w: int8[8,8,3,3]{scale=[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8], axis=0} = random(1)
  const q: int4[8,8,3,3]{scale=[1,2,3,4,5,6,7,8], axis=0, multipliers=[1,2,3,4,5,6,7,8], each=72} = random(2)
  const f: uint8[8,3] = random(3, 1, 17)
  const b: int32[8] = [1, 2, 3, 4, 5, 6, 7, 8]
  const m: int32[1] = [1073741824]
  const s: int32[1] = [40]
  y: int8[1,8,4,4]{scale=0.2, zero=4} = npu.Conv(x, w, b, m, s) pads=[1,1,1,1] x_zero=-3   # origin: conv1, bn1
  v: int8[8,8,3,3] = npu.UnpackWeights(q, f) axis=0 block=32
  return y, v
`);

describe("record", () => {
  it("gives the graph back, byte for byte the second time", () => {
    const bytes = encodeRecord(graph);
    const back = decodeRecord(bytes);
    expect(print(back, { tensors: [] })).toBe(print(graph, { tensors: [] }));
    for (const name of ["w", "q"]) expect(back.constants.get(name)).toEqual(graph.constants.get(name));
    expect(Buffer.compare(encodeRecord(back), bytes)).toBe(0);
  });

  it("refuses every truncation", () => {
    const bytes = encodeRecord(graph);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => decodeRecord(bytes.subarray(0, length))).toThrow(CompileError);
    }
  });

  it("meets changed bytes with a graph or a CompileError, never anything else", () => {
    const bytes = encodeRecord(graph);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        try {
          decodeRecord(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(CompileError);
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
