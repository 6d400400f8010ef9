import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { DataArray } from "../../src/data/dataset.ts";
import { loadMetric, type Metric } from "../../src/evidence/metric.ts";
import { editDistance } from "../../src/evidence/metrics/cer.ts";

const folder = mkdtempSync(join(tmpdir(), "metrics-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const output = (shape: number[], values: readonly number[]): ReadonlyMap<string, DataArray> =>
  new Map([["y", { dtype: "float32", shape, data: Float32Array.from(values) }]]);
const label = (...values: number[]): DataArray => ({
  dtype: "int64",
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

async function score(metric: Metric, samples: readonly [ReadonlyMap<string, DataArray>, DataArray | string][]) {
  const outcomes = samples.map(([outputs, target]) => metric.outcome(outputs, target));
  expect(JSON.parse(JSON.stringify(outcomes))).toEqual(outcomes);
  return metric.combine(outcomes, outcomes);
}

describe("accuracy", () => {
  it("counts the positions whose largest output is the target; ties go to the first", async () => {
    const metric = await loadMetric("accuracy", folder);
    const value = await score(metric, [
      [output([1, 3], [0, 5, 2]), label(1)],
      [output([1, 3], [4, 4, 2]), label(1)],
      [output([2, 2], [0, 1, 1, 0]), label(1, 0)],
    ]);
    expect(value).toBe(3 / 4);
    expect(metric.confidence(output([1, 3], [0, 5, 2]))).toBe(3);
    expect(metric.confidence(output([2, 2], [0, 9, 1, 0]))).toBe(1);
  });

  it("refuses targets that are text, or too many, and an output that is not there", async () => {
    const metric = await loadMetric("accuracy", folder);
    expect(() => metric.outcome(output([1, 2], [0, 1]), "a")).toThrow(/numeric targets/);
    expect(() => metric.outcome(output([1, 2], [0, 1]), label(1, 1))).toThrow(/2 targets/);
    const named = await loadMetric({ name: "accuracy", output: "z" }, folder);
    expect(() => named.outcome(output([1, 2], [0, 1]), label(1))).toThrow(/no output "z"/);
  });
});

describe("chance", () => {
  it("of accuracy is the share of the most frequent class of the targets, whatever was answered", async () => {
    const metric = await loadMetric("accuracy", folder);
    const answers = [
      metric.outcome(output([1, 3], [0, 5, 2]), label(1)),
      metric.outcome(output([1, 3], [0, 5, 2]), label(2)),
      metric.outcome(output([2, 2], [0, 1, 1, 0]), label(1, 1)),
    ];
    expect(metric.chance?.(answers)).toBe(3 / 4);
    // Outcomes that were kept before targets were.
    expect(metric.chance?.([{ labels: [1], correct: 0 }])).toBeUndefined();
  });

  it("of F1 is that of one class always, of bits those of equal chances, of characters all of them wrong", async () => {
    const f1 = await loadMetric("f1", folder);
    const answered = [0, 0, 1, 0].map((target) => ({ label: target, answer: 0 }));
    expect(f1.chance?.(answered)).toBeCloseTo(0.4, 12);
    const many = [0, 0, 2, 1].map((target) => ({ label: target, answer: 2 }));
    expect(f1.chance?.(many)).toBeCloseTo(4 / 6 / 3, 12);
    const bits = await loadMetric("bitsPerCharacter", folder);
    expect(bits.chance?.([bits.outcome(output([1, 4], [0, 0, 0, 0]), label(1))])).toBe(2);
    expect((await loadMetric("auc", folder)).chance?.([])).toBe(0.5);
    writeFileSync(join(folder, "chance.txt"), "a\n");
    expect((await loadMetric({ name: "cer", dictionary: "chance.txt" }, folder)).chance?.([])).toBe(1);
    expect((await loadMetric("agreement", folder)).chance).toBeUndefined();
  });
});

describe("agreement", () => {
  it("is 1 for the teacher and the share of equal answers for another, without labels", async () => {
    const metric = await loadMetric("agreement", folder);
    const teacher = [output([1, 2], [0, 1]), output([1, 2], [1, 0])].map((o) => metric.outcome(o, undefined));
    const other = [output([1, 2], [0, 3]), output([1, 2], [0, 1])].map((o) => metric.outcome(o, undefined));
    expect(metric.combine(teacher, teacher)).toBe(1);
    expect(metric.combine(other, teacher)).toBe(0.5);
    expect(metric.needsTarget).toBe(false);
  });
});

describe("auc", () => {
  it("is the share of pairs in order, ties half, as counted one by one", async () => {
    const metric = await loadMetric("auc", folder);
    const sample = fc.record({ score: fc.integer({ min: 0, max: 6 }), label: fc.integer({ min: 0, max: 1 }) });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 2, maxLength: 30 }), (samples) => {
        const [ones, zeros] = [1, 0].map((wanted) => samples.filter((one) => one.label === wanted));
        fc.pre(ones.length > 0 && zeros.length > 0);
        let pairs = 0;
        for (const one of ones) {
          for (const zero of zeros) pairs += one.score > zero.score ? 1 : one.score === zero.score ? 0.5 : 0;
        }
        const outcomes = samples.map(({ score, label: l }) => metric.outcome(output([1, 1], [score]), label(l)));
        expect(metric.combine(outcomes, outcomes)).toBeCloseTo(pairs / (ones.length * zeros.length), 12);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("reads the second of two classes, and wants both classes in the data", async () => {
    const metric = await loadMetric("auc", folder);
    const outcome = metric.outcome(output([1, 2], [0.75, 0.25]), label(1));
    expect(outcome).toEqual({ score: 0.25, label: 1 });
    expect(() => metric.combine([outcome], [outcome])).toThrow(expect.objectContaining({ code: "evidence/one-class" }));
    const broken = [
      metric.outcome(output([1, 1], [Number.NaN]), label(1)),
      metric.outcome(output([1, 1], [0]), label(0)),
    ];
    expect(metric.combine(broken, broken)).toBeNaN();
  });
});

describe("f1", () => {
  it("is that of counted hits and misses, for one class and as the mean over classes", async () => {
    const metric = await loadMetric("f1", folder);
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 1 })), { minLength: 1 });
    fc.assert(
      fc.property(pairs, (all) => {
        const count = (l: number, a: number) => all.filter(([one, other]) => one === l && other === a).length;
        const [precision, recall] = [
          count(1, 1) / (count(1, 1) + count(0, 1)),
          count(1, 1) / (count(1, 1) + count(1, 0)),
        ];
        const wanted = count(1, 1) === 0 ? 0 : (2 * precision * recall) / (precision + recall);
        const outcomes = all.map(([l, a]) => metric.outcome(output([1, 2], [1 - a, a]), label(l)));
        expect(metric.combine(outcomes, outcomes)).toBeCloseTo(wanted, 12);
      }),
      { seed: 2, numRuns: 100 },
    );
    const three: [ReadonlyMap<string, DataArray>, DataArray][] = [
      [output([1, 3], [1, 0, 0]), label(0)],
      [output([1, 3], [0, 1, 0]), label(2)],
      [output([1, 3], [0, 0, 1]), label(2)],
    ];
    expect(await score(metric, three)).toBeCloseTo((1 + 0 + 2 / 3) / 3, 12);
    expect(metric.outcome(output([1, 1], [0.7]), label(1))).toEqual({ label: 1, answer: 1 });
  });
});

describe("bitsPerCharacter", () => {
  it("is the mean of −log₂ of the softmax at the target; negative targets are left out", async () => {
    const metric = await loadMetric("bitsPerCharacter", folder);
    const even = output([1, 2, 4], [3, 3, 3, 3, 0, 0, 0, 0]);
    expect(await score(metric, [[even, label(2, 1)]])).toBeCloseTo(2, 12);
    const sure = output([1, 2, 2], [Math.log(3), 0, 900, -900]);
    expect(await score(metric, [[sure, label(0, -1)]])).toBeCloseTo(-Math.log2(3 / 4), 6);
    expect(() => metric.outcome(even, label(2, 4))).toThrow(/do not fit/);
    const given = await loadMetric({ name: "bitsPerCharacter", probabilities: true }, folder);
    expect(await score(given, [[output([1, 2], [0.25, 0.75]), label(0)]])).toBe(2);
  });
});

describe("cer", () => {
  writeFileSync(join(folder, "keys.txt"), "a\nb\né\n");
  const spec = { name: "cer", dictionary: "keys.txt" };
  /** Scores whose best class at each step is the one given, of blank, a, b, é, space. */
  const steps = (...classes: number[]) =>
    output(
      [1, classes.length, 5],
      classes.flatMap((best) => [0, 1, 2, 3, 4].map((at) => (at === best ? 0.9 : 0.025))),
    );

  it.each([
    [[1, 1, 0, 1, 2], "aab"],
    [[0, 3, 3, 4, 2, 2, 0, 0], "é b"],
    [[4, 1, 4, 0], "a"],
    [[0, 0], ""],
  ])("decodes steps %j as %j", async (classes, text) => {
    const metric = await loadMetric(spec, folder);
    expect(metric.outcome(steps(...classes), text)).toEqual({ text, errors: 0, length: [...text].length });
  });

  it("divides all errors by all characters", async () => {
    const metric = await loadMetric(spec, folder);
    expect(
      await score(metric, [
        [steps(1, 2), "ab"],
        [steps(1), "bbb"],
      ]),
    ).toBe(3 / 5);
    expect(metric.confidence(steps(0, 1, 0))).toBeCloseTo(0.875, 6);
  });

  it("refuses a missing or unfitting dictionary and targets that are not text", async () => {
    await expect(loadMetric("cer", folder)).rejects.toMatchObject({ code: "usage/metric-option" });
    await expect(loadMetric({ name: "cer", dictionary: "no.txt" }, folder)).rejects.toMatchObject({
      code: "usage/missing-data",
    });
    const metric = await loadMetric(spec, folder);
    expect(() => metric.outcome(output([1, 1, 7], [0, 0, 0, 0, 0, 0, 1]), "a")).toThrow(/7 classes/);
    expect(() => metric.outcome(steps(1), label(1))).toThrow(/text/);
  });

  it("has an edit distance as the definition by recursion", () => {
    const slow = (a: string[], b: string[]): number => {
      if (a.length === 0 || b.length === 0) return a.length + b.length;
      const same = a[0] === b[0] ? 0 : 1;
      return Math.min(slow(a.slice(1), b.slice(1)) + same, slow(a.slice(1), b) + 1, slow(a, b.slice(1)) + 1);
    };
    const word = fc.array(fc.constantFrom("a", "b", "😀"), { maxLength: 5 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a.join(""), b.join(""))).toBe(slow(a, b));
      }),
      { seed: 3, numRuns: 150 },
    );
  });
});

describe("a metric of the user's", () => {
  it("is loaded by its path, with its options", async () => {
    const source = `export default (options: { add: number }) => ({ name: "mine", direction: "lower", needsTarget: false,
      outcome: () => 1, combine: (outcomes: number[]) => outcomes.length + options.add,
      same: () => ({ equal: 1, total: 1 }), confidence: () => 0 });`;
    writeFileSync(join(folder, "mine.ts"), source);
    const metric = await loadMetric({ name: "./mine.ts", add: 5 }, folder);
    expect(metric.combine([1, 1], [])).toBe(7);
  });

  it.each([
    ["nothing.ts", undefined, "usage/unknown-metric"],
    ["broken.ts", "export default {", "usage/bad-metric"],
    ["plain.ts", "export default 3;", "usage/bad-metric"],
    ["half.ts", "export default () => ({ outcome() {} });", "usage/bad-metric"],
  ])("is refused clearly: %s", async (name, source, code) => {
    if (source !== undefined) writeFileSync(join(folder, name), source);
    await expect(loadMetric(`./${name}`, folder)).rejects.toMatchObject({ code });
  });

  it("is not looked for outside the metrics' own folder by name", async () => {
    for (const name of ["acuracy", "../metric", "a/b"]) {
      await expect(loadMetric(name, folder)).rejects.toMatchObject({ code: "usage/unknown-metric" });
    }
  });
});
