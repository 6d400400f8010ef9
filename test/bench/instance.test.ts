import { describe, expect, test } from "vitest";
import { parseInstance } from "../../bench/backend/instance.ts";

describe("memory instances", () => {
  test("columns in any order, moments numbered densely, line ends of either kind", () => {
    expect(parseInstance("size,id,lower,upper\r\n64,a,10,30\r\n32,b,20,1000\r\n\r\n", "x.csv")).toEqual([
      { bytes: 64, first: 0, last: 1 },
      { bytes: 32, first: 1, last: 2 },
    ]);
  });

  test.each([
    ["", "x.csv:1", /first line/],
    ["id,lower,upper\n", "x.csv:1", /first line/],
    ["id,lower,upper,size,size\n", "x.csv:1", /first line/],
    ["id,lower,upper,size\na,0,1\n", "x.csv:2", /4 cells, got 3/],
    ["id,lower,upper,size\n,0,1,5\n", "x.csv:2", /no id/],
    ["id,lower,upper,size\na,0,1,5\na,0,1,5\n", "x.csv:3", /already on line 2/],
    ["id,lower,upper,size\na,0,1e3,5\n", "x.csv:2", /upper is not a whole number/],
    ["id,lower,upper,size\na,0,1,-5\n", "x.csv:2", /size is not a whole number/],
    ["id,lower,upper,size\na,0,1,0x10\n", "x.csv:2", /size is not a whole number/],
    ["id,lower,upper,size\na,0,1,99999999999999999999\n", "x.csv:2", /size is not a whole number/],
    ["id,lower,upper,size\na,3,3,5\n", "x.csv:2", /ends \(3\) before it begins/],
    ["id,lower,upper,size\na,0,1,0\n", "x.csv:2", /empty/],
  ])("%j is refused", (text, where, message) => {
    expect(() => parseInstance(text, "x.csv")).toThrow(
      expect.objectContaining({ code: "usage/bad-instance", where, message: expect.stringMatching(message) }),
    );
  });
});
