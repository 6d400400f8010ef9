import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Assumptions,
  billOf,
  billWithoutChip,
  blindEscalation,
} from "../../../src/evidence/escalation/economics.ts";

const assumed: Assumptions = {
  ...{ decisions: 1000, callCost: 0.5, chipCost: 0.01, chipMs: 2, callMs: 300, timeoutMs: 1000, timeout: 0.1 },
};

describe("what decisions cost", () => {
  it("by hand: a fifth is escalated, and a tenth of the calls is waited for in vain", () => {
    // A call takes 0.9 · 300 + 0.1 · 1000 = 370 ms.
    expect(billOf(0.2, assumed)).toEqual({ escalated: 0.2, calls: 200, costPerMonth: 110, ms: 76 });
    expect(billWithoutChip(assumed)).toEqual({ escalated: 1, calls: 1000, costPerMonth: 500, ms: 370 });
  });

  it("where all is escalated, the chip comes on top", () => {
    const [both, alone] = [billOf(1, assumed), billWithoutChip(assumed)];
    expect([both.costPerMonth - alone.costPerMonth, both.ms - alone.ms]).toEqual([10, 2]);
  });
});

it("picking blindly mixes the two losses to the risk", () => {
  const loss = () => fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(loss(), loss(), loss(), (chip, escalated, risk) => {
      const share = blindEscalation(chip, escalated, risk);
      if (share === undefined) expect(Math.min(chip, escalated)).toBeGreaterThan(risk);
      else {
        expect(share >= 0 && share <= 1).toBe(true);
        expect((1 - share) * chip + share * escalated).toBeLessThanOrEqual(risk + 1e-9);
        if (share > 0) expect((1 - share) * chip + share * escalated).toBeCloseTo(risk, 9);
      }
    }),
    { seed: 6 },
  );
});
