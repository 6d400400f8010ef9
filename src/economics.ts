/** What an operating point costs and saves, by prices that somebody assumes. */
import { z } from "zod";
import type { SealedArtifact } from "./artifact/container.ts";
import { CompileError } from "./error.ts";
import type { OperatingPoint } from "./escalation.ts";
import { type Assumptions, type Bill, billOf, billWithoutChip } from "./evidence/escalation/economics.ts";

export interface Prices {
  /** A month. */
  readonly decisions: number;
  /** Of one call to System 2, and of one decision on the chip, in one currency. */
  readonly callCost: number;
  readonly chipCost: number;
  /** Until System 2 has answered, the network included. */
  readonly callMs: number;
  /** Until nobody waits any longer; as long as an answer takes, if absent. */
  readonly timeoutMs?: number;
  /** Of one decision on the chip; what the evidence has, if absent. */
  readonly chipMs?: number;
}

export interface Economics {
  readonly assumed: Assumptions;
  /** At the operating point, and where as much is escalated as its samples do not exclude. */
  readonly certified: Bill;
  readonly atMost: Bill;
  readonly withoutChip: Bill;
  /**
   * For the risk that the operating point has on the data, without a guarantee: by the float teacher's confidence, and by none. Absent
   * where the risk cannot be had so.
   */
  readonly atEqualRisk: { readonly teacher?: Bill; readonly blind?: Bill };
  /** Calls to System 2 a month that the program's confidence avoids beside picking as many decisions blindly as the risk needs. */
  readonly callsAvoidedAtEqualRisk?: number;
}

/** Throws usage/prices where a price or time is no number of zero or more; evidence/latency. */
export function economicsOf(artifact: SealedArtifact, point: OperatingPoint, prices: Prices): Economics {
  const { chipMs = latencyOf(artifact), timeoutMs = prices.callMs, ...rest } = prices;
  const assumed = { ...rest, chipMs, timeoutMs, timeout: point.system2Timeout };
  if (!Object.values(assumed).every((value) => value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new CompileError("usage/prices", "prices, times and decisions are numbers of zero or more", {
      remedy: "optimus-compile escalate … --call-cost 0.002 --call-ms 400 --decisions 1000000",
    });
  }
  const bill = (share: number | undefined) => (share === undefined ? undefined : billOf(share, assumed));
  const certified = billOf(point.escalationRate, assumed);
  const teacher = bill(point.teacher.escalationAtEqualRisk);
  const blind = bill(point.blindAtEqualRisk);
  return {
    assumed,
    certified,
    atMost: billOf(point.escalationLimits.upper, assumed),
    withoutChip: billWithoutChip(assumed),
    atEqualRisk: { ...(teacher && { teacher }), ...(blind && { blind }) },
    ...(blind && { callsAvoidedAtEqualRisk: blind.calls - certified.calls }),
  };
}

const Measured = z.object({ latency: z.object({ ms: z.number() }) });

function latencyOf({ sections }: SealedArtifact): number {
  const found = Measured.safeParse(JSON.parse(new TextDecoder().decode(sections.get("evidence"))));
  if (found.success) return found.data.latency.ms;
  throw new CompileError("evidence/latency", "the evidence does not say how long one inference takes", {
    where: "section evidence",
    remedy: "Give --chip-ms, or certify again with this version.",
  });
}
