import { describe, expect, test } from "vitest";
import { deadlineOf, requirePossible, requireSafe } from "../../src/build/check.ts";
import { boundOf, slowestLayer } from "../../src/checker/bound.ts";
import { impossibleDeadline, judgeDeadline } from "../../src/checker/deadline.ts";
import { CompileError } from "../../src/error.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { loadTarget } from "../../src/target/load.ts";
import { programOf, smallNetwork } from "./programs.ts";

const withDeadline = (ms: number) => loadTarget("ai4", { set: [`profiles.driving.deadlineMs=${ms}`] });

function errorOf(action: () => unknown): CompileError {
  try {
    action();
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("deadlines", () => {
  const graph = smallNetwork();

  test("met, missed, and none", () => {
    const target = withDeadline(2);
    const cycles = target.clockGHz * 2e6;
    expect(judgeDeadline(target, "driving", { worstCase: cycles, floor: 1 })).toMatchObject({ met: true, limitMs: 2 });
    const late = judgeDeadline(target, "driving", { worstCase: cycles + 3000, floor: 1 });
    expect(late.met).toBe(false);
    expect(late.says).toBe("it takes 2.001 ms at worst, the deadline of driving is 2.000 ms");
    expect(judgeDeadline(target, "driving", { floor: 1 })).toMatchObject({ met: false });
    expect(judgeDeadline(target, "parked-charging", { floor: 1 })).toMatchObject({ met: true });
  });

  test("one below the bound is refused before anything is scheduled, with layer, need and limit", () => {
    const target = withDeadline(1e-5);
    const error = errorOf(() => requirePossible(graph, target, "driving"));
    expect(error.code).toBe("model/impossible-deadline");
    expect(error.where).toBe(slowestLayer(graph, target)?.layer);
    expect(error.message).toMatch(
      /no schedule takes less than \S+ ms, the deadline of driving is 0\.00001000 ms \(the most, \d+ cycles, is for \S+\)/,
    );
    expect(requirePossible(graph, withDeadline(10), "driving")).toBeUndefined();
    const { floorCycles } = boundOf(graph, target);
    expect(
      impossibleDeadline(withDeadline((floorCycles + 1) / (target.clockGHz * 1e6)), "driving", floorCycles),
    ).toBeUndefined();
  });

  test("one between the bound and the worst case is a missed gate", () => {
    const program = programOf(graph, loadTarget("ai4"));
    const { needMs = 0, leastMs } = deadlineOf(program, graph, loadTarget("ai4"), "driving");
    expect(leastMs).toBeLessThan(needMs);
    const sections = encodeProgram(program);
    const between = withDeadline((leastMs + needMs) / 2);
    expect(errorOf(() => requireSafe(sections, graph, between, "driving")).code).toBe("gate/deadline");
    expect(requireSafe(sections, graph, withDeadline(2 * needMs), "driving").faults).toEqual([]);
  });
});
