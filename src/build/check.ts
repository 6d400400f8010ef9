/** The build's own look at what it made: the checker reads the bytes that are about to be sealed. */
import { boundOf, slowestLayer } from "../checker/bound.ts";
import { checkProgram, type Verdict } from "../checker/check.ts";
import { type DeadlineVerdict, impossibleDeadline, judgeDeadline } from "../checker/deadline.ts";
import { contend } from "../emulate/contention.ts";
import { decodeProgram } from "../emulate/decode.ts";
import { operate } from "../emulate/power.ts";
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Program, Sections } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";

/** Before scheduling: throws model/impossible-deadline where the bound alone is beyond the profile's deadline. */
export function requirePossible(graph: Graph, target: Target, profile: string): void {
  const { floorCycles } = boundOf(graph, target, { profile, npus: target.npus });
  const says = impossibleDeadline(target, profile, floorCycles);
  if (says === undefined) return;
  const slowest = slowestLayer(graph, target);
  const share = slowest && ` (the most, ${slowest.cycles} cycles, is for ${slowest.layer})`;
  throw new CompileError("model/impossible-deadline", `${says}${share ?? ""}`, {
    ...(slowest && { where: slowest.layer }),
    remedy: "choose a smaller model, a faster target, or a profile with a later deadline",
  });
}

/** The worst case of the first entry against the profile's deadline. */
export function deadlineOf(program: Program, graph: Graph, given: Target, profile: string): DeadlineVerdict {
  // At the clock that the profile's power cap allows.
  const { target } = operate(program, given, { profile });
  const { worstCaseCycles } = contend(program, target, { profile, runs: 0 });
  const { floorCycles } = boundOf(graph, target, { profile, npus: program.npus });
  const worst = worstCaseCycles === undefined ? {} : { worstCase: worstCaseCycles };
  return judgeDeadline(target, profile, { ...worst, floor: floorCycles });
}

export function missedDeadline({ says }: DeadlineVerdict): CompileError {
  return new CompileError("gate/deadline", says, {
    remedy: "choose a smaller model, a faster target, or a profile with a later deadline",
  });
}

/**
 * Throws model/accumulator-overflow, naming layer, need and limit, where a sum is not proven to stay in its accumulator, and
 * gate/deadline where the worst case is too late. Any other fault is the scheduler's, a bug of ours.
 */
export function requireSafe(sections: Sections, graph: Graph, target: Target, profile: string): Verdict {
  const program = decodeProgram(sections);
  const verdict = checkProgram(program, target);
  const [fault] = verdict.faults;
  if (fault?.kind === "range") {
    throw new CompileError("model/accumulator-overflow", fault.says, {
      where: `node ${fault.where}`,
      remedy: "use int8 activations for this node, or split its reduction",
    });
  }
  if (fault) throw new Error(`bug: the program of ${fault.where} is not safe (${fault.kind}): ${fault.says}`);
  const deadline = deadlineOf(program, graph, target, profile);
  if (!deadline.met) throw missedDeadline(deadline);
  return verdict;
}
