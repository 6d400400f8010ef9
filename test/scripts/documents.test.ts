import { describe, expect, it } from "vitest";
import { operatorNameOf, operatorsPage, passesPage, stalePages } from "../../scripts/documents.ts";

describe("generated pages", () => {
  it("are not stale (npm run generate)", () => {
    expect(stalePages()).toEqual([]);
  });

  it("list operators with what is known of them", () => {
    const row = (name: string) =>
      operatorsPage()
        .split("\n")
        .find((line) => line.startsWith(`| [${name}]`));
    expect(row("MatMul")).toMatch(/\(\.\.\/src\/ops\/mat-mul\.ts\) \| .*NumPy's matmul.* \| yes \| yes \|$/);
    expect(row("Unique")).toMatch(/ \| {2}\| {2}\|$/);
    expect(row("FusedMatMul")).toContain("src/ops/com-microsoft/fused-mat-mul.ts");
    expect(row("Find")).toBeUndefined();
  });

  it("list passes with summary and options", () => {
    expect(passesPage()).toContain("## quantize/int8\n");
    expect(passesPage()).toMatch(/\| `calibrator` \| .*`mse`.* \| `"percentile"` \|/);
  });

  it.each([
    ["hard-swish", "HardSwish"],
    ["rms-normalization", "RMSNormalization"],
    ["is-na-n", "IsNaN"],
    ["q-linear-conv", "QLinearConv"],
    ["scatter-nd", "ScatterND"],
  ])("%s is %s", (file, name) => {
    expect(operatorNameOf(file)).toBe(name);
  });
});
