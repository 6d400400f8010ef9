import { describe, expect, it } from "vitest";
import { curveOf, leastEscalation } from "../../../src/evidence/escalation/curve.ts";

const rows = (losses: readonly number[]) => losses.map((loss, at) => ({ loss, confidence: -at }));

describe("risk over coverage", () => {
  it("by hand: the wrong answer last, first, and all tied", () => {
    expect(curveOf(rows([0, 0, 0, 1]))).toMatchObject({ aurc: 1 / 16, augrc: 1 / 16 });
    const first = curveOf(rows([1, 0, 0, 0]));
    expect(first.aurc).toBeCloseTo((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 12);
    expect(first.augrc).toBeCloseTo(1 / 4, 12);
    expect(curveOf([0, 0, 0, 1].map((loss) => ({ loss, confidence: 1 })))).toMatchObject({ aurc: 0.25, augrc: 0.25 });
  });

  it("escalates no more than the risk needs", () => {
    const curve = curveOf(rows([0, 0, 0, 1]));
    expect(leastEscalation(curve, 0.25, 0)).toBe(0);
    expect(leastEscalation(curve, 0.1, 0)).toBe(0.25);
    expect(leastEscalation(curve, 0.1, 0.2)).toBe(0.25);
    expect(leastEscalation(curveOf(rows([1, 1])), 0.1, 0.05)).toBe(1);
    expect(leastEscalation(curve, 0.01, 0.2)).toBeUndefined();
  });
});
