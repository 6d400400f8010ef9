import { describe, expect, it } from "vitest";
import { float32 } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { taughtAs, withTeacher } from "../../src/training/teacher.ts";

const STUDENT = `
  input x: float32[2,3]
  const w: float32[3,4] = random(1)
  h = MatMul(x, w)
  y = Relu(h)
  return y
`;
const TEACHER = `
  input x: float32[2,3]
  input z: float32[2,5]
  const w: float32[3,5] = random(2)
  const v: float32[5,4] = random(3)
  h = MatMul(x, w)
  a = Add(h, z)
  y = MatMul(a, v)
  s = Softmax(y)
  return s
`;

describe("the teacher in the step's graph", () => {
  it("gives its values under names of their own, whatever names both networks share", async () => {
    const teacher = inferTypes(parse(TEACHER));
    const both = await withTeacher(inferTypes(parse(STUDENT)), teacher, ["y", "h", "y"]);
    expect(both.inputs).toEqual(["x", "z"]);
    const feeds = new Map([
      ["x", float32([2, 3], [1, -2, 3, 0.5, 0, -1])],
      [
        "z",
        float32(
          [2, 5],
          Array.from({ length: 10 }, (_, at) => at / 7),
        ),
      ],
    ]);
    const wanted = interpret({ ...teacher, outputs: ["y", "h"] }, feeds);
    const own = interpret(parse(STUDENT), new Map([["x", feeds.get("x") ?? float32([0], [])]]));
    const found = interpret({ ...both, outputs: ["y", taughtAs("y"), taughtAs("h")] }, feeds);
    expect(found.get("y")).toEqual(own.get("y"));
    for (const name of ["y", "h"]) expect(found.get(taughtAs(name))).toEqual(wanted.get(name));
    // What no loss asks for does not run.
    expect(both.nodes.map(({ op }) => op)).not.toContain("Softmax");
  });

  it("names a value that the teacher has not, and one that the student has already", async () => {
    const [student, teacher] = [STUDENT, TEACHER].map((text) => inferTypes(parse(text)));
    await expect(withTeacher(student, teacher, ["q"])).rejects.toMatchObject({ code: "usage/unknown-value" });
    const named = inferTypes(parse(STUDENT.replaceAll("y", '"teacher/y"')));
    await expect(withTeacher(named, teacher, ["y"])).rejects.toMatchObject({ code: "usage/unknown-value" });
  });
});
