import { describe, expect, it } from "vitest";
import { sharedMemory } from "../../src/run/wasm.ts";
import { adamW, addAll, kernelsOn, sgd } from "../../src/train/kernels/load.ts";
import { arraysIn, roomIn } from "../../src/train/memory.ts";

/** More than lie in the kernels' memory at once, and no whole number of lanes. */
const LENGTH = 2 * 4096 + 3;
const drawn = (scale: number, turn: number): Float32Array =>
  Float32Array.from({ length: LENGTH }, (_, at) => scale * Math.sin(at * at + turn));

describe("kernels of a training step", () => {
  it.each([1, 2, 5])("add and divide %s arrays to the bits of plain float32, and their squares in double", (count) => {
    for (const length of [0, 1, 4095, 4096, 4098, LENGTH]) {
      const arrays = Array.from({ length: count }, (_, turn) => drawn(10 ** -turn, turn).slice(0, length));
      const others = arrays.slice(1).map((each) => each.slice());
      const sums = arrays[0].map((first, at) => {
        return others.reduce((sum, each) => Math.fround(sum + each[at]), first) / (count > 1 ? 7 : 1);
      });
      const four = [0, 0, 0, 0];
      for (const [at, sum] of sums.entries()) four[at < length - (length % 4) ? at % 4 : 0] += sum * sum;
      expect(addAll(arrays, 7)).toBe(four[0] + four[1] + (four[2] + four[3]));
      expect(arrays).toEqual([sums, ...others]);
    }
  });

  it.each([false, true])("step by SGD to the bits of the plain formula, Nesterov's: %s", (nesterov) => {
    const [momentum, decay, rate, factor] = [0.9, 0.05, 0.013, nesterov ? 0.3 : 1];
    const [weights, gradients, speeds] = [drawn(1, 0), drawn(0.1, 1), drawn(0.3, 2)];
    const [w, v] = [weights.slice(), speeds.slice()];
    for (let at = 0; at < LENGTH; at++) {
      const pull = Math.fround(gradients[at] * factor) + decay * w[at];
      const speed = momentum * v[at] + pull;
      v[at] = speed;
      w[at] -= rate * (nesterov ? pull + momentum * speed : speed);
    }
    sgd([weights, gradients, speeds], { momentum, decay, rate, nesterov, factor });
    expect([weights, speeds]).toEqual([w, v]);
  });

  it.each([1, 0.3])("step by AdamW to the bits of the formula in float32, gradients times %s", (factor) => {
    const numbers = { first: 0.9, second: 0.999, shrink: 0.999, scale: 0.02, spread: 11.3, epsilon: 1e-8, factor };
    const { first, second, shrink, scale, spread, epsilon } = numbers;
    const [weights, gradients, means] = [drawn(1, 0), drawn(0.1, 1), drawn(0.1, 2)];
    const squares = drawn(0.01, 3).map(Math.abs);
    const [w, m, s] = [weights.slice(), means.slice(), squares.slice()];
    const f = Math.fround;
    const [b1, n1, b2, n2] = [first, 1 - first, second, 1 - second].map(f);
    for (let at = 0; at < LENGTH; at++) {
      const g = f(gradients[at] * factor);
      m[at] = f(b1 * m[at]) + f(n1 * g);
      s[at] = f(b2 * s[at]) + f(f(n2 * g) * g);
      const spreads = f(f(f(Math.sqrt(s[at])) * f(spread)) + f(epsilon));
      w[at] = f(w[at] * f(shrink)) - f(f(f(scale) * m[at]) / spreads);
    }
    adamW([weights, gradients, means, squares], numbers);
    expect([weights, means, squares]).toEqual([w, m, s]);
  });

  it("give the same bits where arrays lie in memory that threads share", () => {
    const memory = sharedMemory();
    const room = roomIn(
      memory,
      [..."abcd"].map((name) => ({ name, shape: [LENGTH] })),
    );
    const [{ buffer, byteOffset }] = arraysIn(roomIn(memory, [{ name: "sums", shape: [8] }])).values();
    const within = { kernels: kernelsOn(memory), sums: new Float64Array(buffer, byteOffset, 4) };
    const there = [...arraysIn(room).values()] as [Float32Array, Float32Array, Float32Array, Float32Array];
    const here = there.map((_, turn) => drawn(1, turn).map(Math.abs)) as typeof there;
    for (const [index, array] of there.entries()) array.set(here[index]);
    for (let turn = 0; turn < 2; turn++) {
      expect(addAll(there, 3, within)).toBe(addAll(here, 3));
      for (const [arrays, where] of [
        [here, undefined],
        [there, within],
      ] as const) {
        const [a, b, c, d] = arrays;
        adamW(
          [d, b, c, a],
          { first: 0.9, second: 0.99, shrink: 1, scale: 0.1, spread: 2, epsilon: 1e-8, factor: 0.7 },
          where,
        );
        sgd([a, b, c], { momentum: 0.9, decay: 0.1, rate: 0.1, nesterov: true, factor: 0.7 }, where);
      }
      expect(there.map((each) => each.slice())).toEqual(here);
    }
  });
});
