import { describe, expect, it } from "vitest";
import { splitMix } from "../../src/data/random.ts";
import { chanceOf, sayChance } from "../../src/evidence/chance.ts";
import { loadMetric } from "../../src/evidence/metric.ts";
import { byGroup } from "../../src/evidence/statistics/clusters.ts";

const OPTIONS = { alpha: 0.05, seed: 1 };
const accuracy = await loadMetric("accuracy", "/");
const auc = await loadMetric("auc", "/");

/** Ten classes; the teacher sees the class with this chance and guesses else. */
function classified(seeing: number, count = 400) {
  const random = splitMix(5);
  const records = Array.from({ length: count }, (_, at) => {
    const target = Math.floor(10 * random());
    const answer = random() < seeing ? target : Math.floor(10 * random());
    const teacher = { labels: [answer], correct: answer === target ? 1 : 0, targets: [target] };
    return { group: `g${at % 40}`, teacher, compiled: teacher };
  });
  return byGroup(records);
}

describe("chanceOf", () => {
  it("is excluded by a teacher that sees, and not by one that guesses", () => {
    const [sees, guesses] = [0.5, 0].map((seeing) => chanceOf(accuracy, classified(seeing), OPTIONS)!);
    expect(sees.value).toBeCloseTo(0.12, 1);
    expect(sees.excluded).toBe(true);
    expect(sayChance("accuracy", sees)).toBeUndefined();
    expect(guesses.excluded).toBe(false);
    expect(sayChance("accuracy", guesses)).toMatch(/not shown to be better than chance: accuracy 0\.0\d+ at worst/);
  });

  it("counts what the samples do not exclude: with few of them a teacher that sees a little is not shown to", () => {
    expect(chanceOf(accuracy, classified(0.1, 80), OPTIONS)!.excluded).toBe(false);
    expect(chanceOf(accuracy, classified(0.1, 8000), OPTIONS)!.excluded).toBe(true);
  });

  it("knows in which direction a metric is better, and takes an area's own limit", () => {
    const areas = (apart: number) => {
      const random = splitMix(3);
      const records = Array.from({ length: 200 }, (_, at) => {
        const teacher = { score: random() + apart * (at % 2), label: at % 2 };
        return { group: `g${at >> 2}`, teacher, compiled: { score: 0, label: at % 2 } };
      });
      return chanceOf(auc, byGroup(records), OPTIONS)!;
    };
    expect(areas(0.5).excluded).toBe(true);
    expect(areas(0).excluded).toBe(false);
    const lower = { ...auc, direction: "lower" as const };
    const records = [0.1, 0.9, 0.2, 0.8].map((score, at) => ({ group: `g${at}`, teacher: { score, label: at % 2 } }));
    const groups = byGroup(records.map((record) => ({ ...record, compiled: record.teacher })));
    expect(chanceOf(auc, groups, OPTIONS)!.excluded).toBe(true);
    expect(chanceOf(lower, groups, OPTIONS)!.excluded).toBe(false);
  });
});
