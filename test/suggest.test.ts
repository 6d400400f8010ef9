import { describe, expect, it } from "vitest";
import { closest, didYouMean } from "../src/suggest.ts";

describe("closest", () => {
  it.each([
    ["calibraton", "calibration"],
    ["metrc", "metric"],
    ["zzzzzz", undefined],
  ])("%s → %s", (name, wanted) => expect(closest(name, ["calibration", "metric", "model"])).toBe(wanted));
});

it("lists what there is where nothing is near", () => {
  expect(didYouMean("zzzzzz", ["a", "b"])).toBe("there are: a, b");
  expect(didYouMean("metrik", ["metric"])).toBe('did you mean "metric"?');
});
