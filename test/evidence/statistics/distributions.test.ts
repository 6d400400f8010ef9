import { describe, expect, it } from "vitest";
import {
  betaCdf,
  betaQuantile,
  logGamma,
  normalCdf,
  normalQuantile,
  studentCdf,
  studentQuantile,
} from "../../../src/evidence/statistics/distributions.ts";

describe("distributions against printed tables", () => {
  it("normal", () => {
    expect(normalCdf(0)).toBeCloseTo(0.5, 15);
    expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 12);
    expect(normalCdf(-6)).toBeCloseTo(9.865876450376981e-10, 20);
    for (const p of [1e-9, 0.001, 0.02, 0.05, 0.3, 0.5, 0.8, 0.975, 0.9999])
      expect(normalCdf(normalQuantile(p))).toBeCloseTo(p, 12);
    expect(normalQuantile(0.95)).toBeCloseTo(1.6448536269514722, 12);
  });
  it("gamma and beta", () => {
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 10);
    expect(logGamma(11)).toBeCloseTo(Math.log(3628800), 10);
    // I_x(2, 3) = x²(6 − 8x + 3x²)
    for (const x of [0.1, 0.4, 0.9]) expect(betaCdf(x, 2, 3)).toBeCloseTo(x * x * (6 - 8 * x + 3 * x * x), 12);
    expect(betaQuantile(betaCdf(0.0123, 7, 900), 7, 900)).toBeCloseTo(0.0123, 10);
  });
  it("Student", () => {
    // Freedom 1 is Cauchy: F(1) = 3/4. Freedom 2: F(t) = ½ + t / (2√(2 + t²)).
    expect(studentCdf(1, 1)).toBeCloseTo(0.75, 12);
    expect(studentCdf(2, 2)).toBeCloseTo(0.5 + 2 / (2 * Math.sqrt(6)), 12);
    expect(studentQuantile(0.95, 10)).toBeCloseTo(1.8124611228107335, 9);
    expect(studentQuantile(0.05, 7)).toBeCloseTo(-1.894578605061305, 9);
  });
});
