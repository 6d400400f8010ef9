import { describe, expect, it } from "vitest";
import { type Dataset, makeSample } from "../../src/data/dataset.ts";
import { checkDisjoint, digestOf, fingerprintsOf } from "../../src/data/disjoint.ts";
import { checkInputs, fitSample } from "../../src/data/fit.ts";
import { groupHash, splitOf } from "../../src/data/split.ts";

const print = (id: string, group: string, hash: string) => ({ id, group, hash });

function dataset(values: readonly number[], shape = [1, 1]): Dataset {
  return {
    length: values.length,
    read: async (index) =>
      makeSample({
        id: String(index),
        inputs: new Map([["x", { dtype: "float32", shape, data: Float32Array.of(values[index]) }]]),
      }),
    describe: () => ({
      reader: "test",
      length: values.length,
      inputs: [{ name: "x", dtype: "float32", shape }],
      source: "a test",
    }),
    close() {},
  };
}

describe("checkDisjoint", () => {
  it("lets splits pass that share nothing, and repeats inside one split", () => {
    const calibration = [print("0", "a", "1"), print("1", "a", "1")];
    checkDisjoint(
      new Map([
        ["calibration", calibration],
        ["certification", [print("0", "b", "2")]],
      ]),
    );
  });

  it.each([
    ["content", print("7", "b", "1"), "calibration sample 0 and certification sample 7 have the same content"],
    ["a group", print("7", "a", "2"), 'calibration sample 0 and certification sample 7 belong to the group "a"'],
  ])("names samples that share %s", (_, leaked, message) => {
    const splits = new Map([
      ["calibration", [print("0", "a", "1")]],
      ["certification", [leaked]],
    ]);
    expect(() => checkDisjoint(splits)).toThrow(message);
    expect(() => checkDisjoint(splits)).toThrow(expect.objectContaining({ code: "usage/leak" }));
  });

  it("counts the leaks it does not name", () => {
    const samples = Array.from({ length: 10 }, (_, index) => print(String(index), `g${index}`, String(index)));
    expect(() =>
      checkDisjoint(
        new Map([
          ["calibration", samples],
          ["selection", samples],
        ]),
      ),
    ).toThrow("and 7 more");
  });
});

describe("fingerprints and digest", () => {
  it("follow content and order", async () => {
    const digest = async (values: readonly number[]) => digestOf(await fingerprintsOf(dataset(values)));
    expect(await digest([1, 2])).toBe(await digest([1, 2]));
    expect(await digest([1, 2])).not.toBe(await digest([2, 1]));
    expect(await digest([1, 2])).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

describe("splitOf", () => {
  it("gives each split about its share, whatever the names", () => {
    const counts = { calibration: 0, selection: 0, certification: 0 };
    for (let index = 0; index < 10_000; index++) counts[splitOf(groupHash(`document ${index}`))]++;
    expect(counts.calibration).toBeGreaterThan(1850);
    expect(counts.calibration).toBeLessThan(2150);
    expect(counts.certification).toBeGreaterThan(5850);
    expect(counts.certification).toBeLessThan(6150);
  });
});

describe("checkInputs", () => {
  const wanted = (name: string, dtype: string, shape: number[]) => new Map([[name, { dtype, shape }]]);
  it("fits samples whose leading 1s differ", async () => {
    const data = dataset([5], [1, 1, 1]);
    checkInputs(data, wanted("x", "float32", [1]), "calibration");
    expect(fitSample(await data.read(0), wanted("x", "float32", [1])).get("x")?.shape).toEqual([1]);
  });
  it.each([
    ["a missing input", wanted("y", "float32", [1]), "usage/data-input"],
    ["another type", wanted("x", "int8", [1]), "usage/data-type"],
    ["another shape", wanted("x", "float32", [1, 2]), "usage/data-shape"],
  ])("refuses %s", (_, want, code) => {
    expect(() => checkInputs(dataset([1]), want, "calibration")).toThrow(expect.objectContaining({ code }));
  });
});
