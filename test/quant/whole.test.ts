import { expect, it } from "vitest";
import { dequantize } from "../../src/ir/codes.ts";
import { elementCount, type Graph, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, int64, valuesOf } from "../../src/ir/tensor.ts";
import type { Feeds } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { presetPasses } from "../../src/presets.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare } from "../harness/pass.ts";

/** Whole small networks in the forms that exporters write, from float to integers by the preset. */
const TRANSFORMER = `
  input ids: int64[1,6]
  const table: float32[20,8] = random(1)
  const positions: float32[1,6,8] = random(2)
  const wq: float32[8,8] = random(3)
  const wk: float32[8,8] = random(4)
  const wv: float32[8,8] = random(5)
  const bq: float32[8] = random(6)
  const wo: float32[8,8] = random(7)
  const heads: int64[4] = [1,6,2,4]
  const joined: int64[3] = [1,6,8]
  const size: float32[] = [2.0]
  const allowed: bool[1,1,6,6] = [1,0,0,0,0,0, 1,1,0,0,0,0, 1,1,1,0,0,0, 1,1,1,1,0,0, 1,1,1,1,1,0, 1,1,1,1,1,1]
  const zero: float32[] = [0]
  const never: float32[] = [-3.4028235e38]
  const last: int64[1] = [-1]
  const two: float32[] = [2]
  const epsilon: float32[] = [1e-5]
  const gamma: float32[8] = random(8, 0.5, 1.5)
  const beta: float32[8] = random(9)
  const w1: float32[8,16] = random(10)
  const b1: float32[16] = random(11)
  const w2: float32[16,8] = random(12)
  const root: float32[] = [1.4142135]
  const one: float32[] = [1]
  const half: float32[] = [0.5]
  tokens = Gather(table, ids)
  x = Add(tokens, positions)
  q0 = MatMul(x, wq)
  q1 = Add(q0, bq)
  q2 = Reshape(q1, heads)
  q = Transpose(q2) perm=[0,2,1,3]
  k0 = MatMul(x, wk)
  k1 = Reshape(k0, heads)
  k = Transpose(k1) perm=[0,2,3,1]
  v0 = MatMul(x, wv)
  v1 = Reshape(v0, heads)
  v = Transpose(v1) perm=[0,2,1,3]
  s0 = MatMul(q, k)
  s1 = Div(s0, size)
  mask = Where(allowed, zero, never)
  s2 = Add(s1, mask)
  p = Softmax(s2)
  c0 = MatMul(p, v)
  c1 = Transpose(c0) perm=[0,2,1,3]
  c2 = Reshape(c1, joined)
  c3 = MatMul(c2, wo)
  r1 = Add(x, c3)
  mean = ReduceMean(r1, last)
  d = Sub(r1, mean)
  d2 = Pow(d, two)
  variance = ReduceMean(d2, last)
  sum = Add(variance, epsilon)
  deviation = Sqrt(sum)
  n0 = Div(d, deviation)
  n1 = Mul(n0, gamma)
  n = Add(n1, beta)
  h0 = MatMul(n, w1)
  h1 = Add(h0, b1)
  g0 = Div(h1, root)
  g1 = Erf(g0)
  g2 = Add(g1, one)
  g3 = Mul(h1, g2)
  g = Mul(g3, half)
  f0 = MatMul(g, w2)
  y = Add(n, f0)
  return y
`;

/** Group norm as PyTorch writes it, a squeeze-and-excitation gate, PRelu by channel, nearest upsampling and a skip. */
const IMAGES = `
  input x: float32[1,4,8,8]
  const w1: float32[8,4,3,3] = random(1, -0.3, 0.3)
  const groups: int64[3] = [1,2,-1]
  const whole: int64[4] = [1,8,8,8]
  const ones: float32[2] = [1, 1]
  const zeros: float32[2] = [0, 0]
  const gamma: float32[8,1,1] = random(2, 0.5, 1.5)
  const beta: float32[8,1,1] = random(3)
  const slope: float32[8,1,1] = random(4, 0, 0.5)
  const w2: float32[8,8,1,1] = random(5, -0.4, 0.4)
  const b2: float32[8] = random(6)
  const w3: float32[8,1,3,3] = random(7, -0.4, 0.4)
  const scales: float32[4] = [1,1,2,2]
  a0 = Conv(x, w1) pads=[1,1,1,1]
  a1 = Reshape(a0, groups)
  a2 = InstanceNormalization(a1, ones, zeros)
  a3 = Reshape(a2, whole)
  a4 = Mul(a3, gamma)
  a5 = Add(a4, beta)
  a = PRelu(a5, slope)
  g0 = GlobalAveragePool(a)
  g1 = Conv(g0, w2, b2)
  g = HardSigmoid(g1)
  b = Mul(a, g)
  c0 = Conv(b, w3) group=8 pads=[1,1,1,1] strides=[2,2]
  c1 = Sigmoid(c0)
  c = Mul(c0, c1)
  up = Resize(c, _, scales) mode="nearest" coordinate_transformation_mode="asymmetric" nearest_mode="floor"
  y = Concat(up, a) axis=1
  return y
`;

function feedsOf(graph: Graph, seed: number): Feeds {
  const random = seededRandom(`whole:${seed}`);
  return new Map(
    graph.inputs.map((name): [string, Tensor] => {
      const { dtype, shape } = graph.types.get(name) as { dtype: string; shape: readonly number[] };
      const count = elementCount(shape);
      if (dtype === "int64")
        return [
          name,
          int64(
            shape,
            Array.from({ length: count }, () => Math.floor(random() * 20)),
          ),
        ];
      return [
        name,
        float32(
          shape,
          Array.from({ length: count }, () => 2 * random() - 1),
        ),
      ];
    }),
  );
}

it.each([
  { name: "a transformer's layer", text: TRANSFORMER, activations: "int8", decibels: 32 },
  { name: "a transformer's layer", text: TRANSFORMER, activations: "int16", decibels: 36 },
  { name: "an image network", text: IMAGES, activations: "int8", decibels: 32 },
  { name: "an image network", text: IMAGES, activations: "int16", decibels: 45 },
])("$name reaches the chip whole, $activations", async ({ text, activations, decibels }) => {
  const float = prepare(text);
  const calibration = { size: 16, feeds: (index: number) => feedsOf(float, index) };
  const passes = presetPasses("default").map((spec) => (spec === "quantize/int8" ? { pass: spec, activations } : spec));
  const { graph: integer } = await runPasses(float, passes, { calibration });
  expect(integer.nodes.filter((node) => node.domain !== "npu").map((node) => node.op)).toEqual([]);
  let [signal, noise] = [0, 0];
  for (let seed = 100; seed < 104; seed++) {
    const feeds = feedsOf(float, seed);
    const [a, b] = [interpret(float, feeds), interpret(integer, feeds)].map(
      (values) => valuesOf(dequantize(values.get("y") as Tensor)) as Float32Array,
    );
    a.forEach((value, index) => {
      signal += value ** 2;
      noise += (value - b[index]) ** 2;
    });
  }
  expect(10 * Math.log10(signal / noise)).toBeGreaterThan(decibels);
});
