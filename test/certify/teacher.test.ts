import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openTeacher } from "../../src/certify/teacher.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { importOnnx } from "../../src/onnx/import.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

const folder = mkdtempSync(join(tmpdir(), "teacher-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** ONNX Runtime takes a value of 4 bits for twice as long as it is, and what lies behind it is overwritten. */
it.each([
  ["int4", -8],
  ["uint4", 0],
])("runs a teacher that computes with %s", async (dtype, zero) => {
  const graph = prepare(`
    input x: float32[1,16,28,28]
    const s: float32[] = 0.1
    const z: ${dtype}[] = ${zero}
    const t: float32[] = 0.02
    const e: int8[] = 0
    const w: float32[16,16,3,3] = random(1, -0.1, 0.1)
    const v: float32[16,16,3,3] = random(2, -0.1, 0.1)
    a = Relu(x)
    qa = QuantizeLinear(a, s, z)
    da = DequantizeLinear(qa, s, z)
    b = Conv(da, w) pads=[1,1,1,1]
    qb = QuantizeLinear(b, t, e)
    db = DequantizeLinear(qb, t, e)
    c = Add(db, da)
    d = Relu(c)
    qd = QuantizeLinear(d, s, z)
    dd = DequantizeLinear(qd, s, z)
    y = Conv(dd, v) pads=[1,1,1,1]
    return y
  `);
  const path = join(folder, `${dtype}.onnx`);
  writeModel(graph, path);
  const feeds = seededFeeds(graph);
  const teacher = await openTeacher(path, {});
  const found = numbersOf((await teacher.step(feeds)).get("y") as Tensor);
  await teacher.release();
  const wanted = numbersOf(interpret(graph, feeds).get("y") as Tensor);
  const off = found.map((value, at) => Math.abs(value - wanted[at]));
  expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(1);
  // A number that lies between two codes may be the one or the other.
  expect(off.filter((each) => each > 1e-3).length / off.length).toBeLessThan(0.02);
  const stored = [...importOnnx(path).types.values()].filter(({ quant }) => quant).map((type) => type.dtype);
  expect(stored.filter((each) => each === dtype)).toHaveLength(2);
});
