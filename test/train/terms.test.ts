import { describe, expect, it } from "vitest";
import { makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { withLosses } from "../../src/train/losses.ts";
import type { LossTerm } from "../../src/train/terms.ts";

const tensor = (seed: string, shape: readonly number[]): Tensor => {
  const random = seededRandom(seed);
  const count = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Array.from({ length: count }, () => 4 * random() - 2),
  );
};

/** A network that only scales, the loss beside it, its gradient by the scale, and what central differences say of that. */
function lossOf(given: LossTerm, value: Tensor, teacher: Tensor) {
  const term = { ...given, teacherShape: teacher.shape } as LossTerm;
  const network = makeGraph({
    ...{ inputs: ["x"], outputs: ["y"], constants: new Map([["s", float32([1], [1])]]) },
    nodes: [{ op: "Mul", domain: "", inputs: ["x", "s"], outputs: ["y"], attrs: new Map(), origin: ["scale"] }],
    types: new Map([["x", { dtype: "float32" as const, shape: value.shape }]]),
  });
  const { graph, loss, learnt } = withLosses(network, [term]);
  const step = differentiate(graph, { loss, parameters: ["s", ...learnt] });
  const constants = learnt.map((name): [string, Tensor] => [name, graph.constants.get(name) as Tensor]);
  const at = (scale: number): number[] => {
    const feeds = new Map([["x", value], ["t", teacher], ["s", float32([1], [scale])], ...constants] as [
      string,
      Tensor,
    ][]);
    const found = interpret(step, new Map([...feeds].filter(([name]) => step.inputs.includes(name))));
    return step.outputs.slice(0, 2).map((name) => numbersOf(found.get(name) as Tensor)[0]);
  };
  const [now, gradient] = at(1);
  const slope = (at(1.01)[0] - at(0.99)[0]) / 0.02;
  return { loss: now, gradient, slope, projection: constants[0]?.[1] };
}

const rows = ({ data, shape }: Tensor): number[][] => {
  const classes = shape.at(-1) as number;
  const values = [...(data as Float32Array)];
  return Array.from({ length: values.length / classes }, (_, row) => values.slice(row * classes, (row + 1) * classes));
};
const softmax = (row: readonly number[]): number[] => {
  const powers = row.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((each) => each / sum);
};
const divergence = (p: readonly number[], q: readonly number[]): number =>
  p.reduce((sum, each, index) => sum + each * Math.log(each / q[index]), 0);
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

const check = (found: ReturnType<typeof lossOf>, wanted: number): void => {
  expect(found.loss).toBeCloseTo(wanted, 4);
  expect(Math.abs(found.slope)).toBeGreaterThan(1e-3);
  expect(found.gradient / found.slope).toBeCloseTo(1, 1);
};

describe("losses against their formulas, and their gradients against differences", () => {
  it("sequence: steps that say nothing count less", () => {
    const [value, teacher] = [tensor("v", [2, 5, 4]), tensor("t", [2, 5, 4])];
    const term = { kind: "sequence", scores: "y", teacher: "t", blank: 1, blankWeight: 0.3, temperature: 2 } as const;
    const counts = rows(teacher).map((row) => Math.max(0.3, 1 - softmax(row)[1]));
    const terms = rows(teacher).map((row, index) => {
      const own = rows(value)[index];
      const each = divergence(softmax(row.map((x) => x / 2)), softmax(own.map((x) => x / 2)));
      return counts[index] * each;
    });
    check(lossOf(term, value, teacher), (4 * sum(terms)) / sum(counts));
  });

  it.each([
    ["axis 1", [2, 3, 2, 2], [2, 5, 2, 2]],
    ["the last axis", [2, 4, 3], [2, 4, 5]],
  ])("features: a projection along %s", (_, from, to) => {
    const [value, teacher] = [tensor("v", from), tensor("t", to)];
    const found = lossOf({ kind: "features", value: "y", teacher: "t" }, value, teacher);
    const matrix = numbersOf(found.projection as Tensor);
    const [x, t] = [numbersOf(value), numbersOf(teacher)];
    const places = from.length === 4 ? 4 : 1;
    const outer = from.length === 4 ? 2 : 8;
    let [error, energy] = [0, 0];
    for (let block = 0; block < outer; block++) {
      for (let channel = 0; channel < 5; channel++) {
        for (let place = 0; place < places; place++) {
          const parts = [0, 1, 2].map((own) => {
            const weight = places === 1 ? matrix[own * 5 + channel] : matrix[channel * 3 + own];
            return weight * x[(block * 3 + own) * places + place];
          });
          const wanted = t[(block * 5 + channel) * places + place];
          error += (sum(parts) - wanted) ** 2;
          energy += wanted ** 2;
        }
      }
    }
    check(found, error / energy);
  });

  it("attention: where the energy is, whatever the channels", () => {
    const [value, teacher] = [tensor("v", [2, 3, 2, 3]), tensor("t", [2, 5, 2, 3])];
    const map = ({ data, shape }: Tensor, sample: number): number[] => {
      const values = data as Float32Array;
      const energy = Array.from({ length: 6 }, (_, place) =>
        sum(Array.from({ length: shape[1] }, (_, channel) => values[(sample * shape[1] + channel) * 6 + place] ** 2)),
      );
      const length = Math.hypot(...energy);
      return energy.map((each) => each / length);
    };
    const terms = [0, 1].map((sample) => {
      const [a, b] = [map(value, sample), map(teacher, sample)];
      return sum(a.map((each, index) => (each - b[index]) ** 2));
    });
    const found = lossOf({ kind: "attention", value: "y", teacher: "t" }, value, teacher);
    // It does not depend on how large the value is.
    expect(found.loss).toBeCloseTo(sum(terms) / 2, 4);
    expect(found.gradient).toBeCloseTo(0, 4);
  });

  it("relations: who resembles whom, head by head", () => {
    const [value, teacher] = [tensor("v", [2, 3, 4]), tensor("t", [2, 3, 6])];
    const relation = (of: Tensor, sample: number, head: number): number[][] => {
      const size = of.shape[2] / 2;
      const own = rows(of)
        .slice(sample * 3, sample * 3 + 3)
        .map((row) => row.slice(head * size, head * size + size));
      return own.map((a) => softmax(own.map((b) => sum(a.map((each, index) => each * b[index])) / Math.sqrt(size))));
    };
    const terms = [0, 1].flatMap((sample) =>
      [0, 1].flatMap((head) => {
        const [p, q] = [relation(teacher, sample, head), relation(value, sample, head)];
        return p.map((row, index) => divergence(row, q[index]));
      }),
    );
    check(lossOf({ kind: "relations", value: "y", teacher: "t", heads: 2 }, value, teacher), sum(terms) / terms.length);
  });

  it.each<[LossTerm, number[], number[]]>([
    [{ kind: "distill", scores: "y", teacher: "t" }, [2, 3], [2, 4]],
    [{ kind: "sequence", scores: "y", teacher: "t", blank: 3 }, [2, 4, 3], [2, 4, 3]],
    [{ kind: "features", value: "y", teacher: "t" }, [2, 3, 4, 4], [2, 5, 2, 4]],
    [{ kind: "attention", value: "y", teacher: "t" }, [2, 3, 4], [2, 3, 5]],
    [{ kind: "relations", value: "y", teacher: "t", heads: 2 }, [2, 3, 4], [2, 3, 5]],
  ])("refuse what cannot be compared: %o", (term, value, teacher) => {
    const given = { ...term, teacherShape: teacher } as LossTerm;
    expect(() => lossOf(given, tensor("v", value), tensor("t", teacher))).toThrow(
      expect.objectContaining({ code: "usage/loss-shape" }),
    );
  });
});
