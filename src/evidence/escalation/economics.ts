/** What decisions cost and how long they take, with escalation and without. Every price and time is an assumption of somebody's. */

export interface Assumptions {
  /** Decisions a month. */
  readonly decisions: number;
  /** Of one call to System 2, answered or not, in any currency. */
  readonly callCost: number;
  /** Of one decision on the chip, in the same currency. */
  readonly chipCost: number;
  /** Milliseconds of one decision on the chip. */
  readonly chipMs: number;
  /** Milliseconds until System 2 has answered, the network included. */
  readonly callMs: number;
  /** Milliseconds until nobody waits any longer. */
  readonly timeoutMs: number;
  /** How often that happens, of calls. */
  readonly timeout: number;
}

/** Of one way to decide. */
export interface Bill {
  /** Of all decisions, those that System 2 is asked for. */
  readonly escalated: number;
  readonly calls: number;
  readonly costPerMonth: number;
  /** Expected milliseconds of one decision. */
  readonly ms: number;
}

/** The chip decides first, and what it is not sure of waits for both. */
export function billOf(escalated: number, assumed: Assumptions): Bill {
  const { decisions, callCost, chipCost, chipMs } = assumed;
  return {
    escalated,
    calls: decisions * escalated,
    costPerMonth: decisions * (chipCost + escalated * callCost),
    ms: chipMs + escalated * callMsOf(assumed),
  };
}

/** Without the chip: System 2 is asked for everything. */
export function billWithoutChip(assumed: Assumptions): Bill {
  const { decisions, callCost } = assumed;
  return { escalated: 1, calls: decisions, costPerMonth: decisions * callCost, ms: callMsOf(assumed) };
}

const callMsOf = ({ callMs, timeoutMs, timeout }: Assumptions): number => (1 - timeout) * callMs + timeout * timeoutMs;

/**
 * The share to escalate for this plug-in risk if decisions were picked without looking at how sure the chip is: the mixture of
 * both losses that has it. Undefined where System 2 is no better and the chip alone exceeds the risk.
 */
export function blindEscalation(chipLoss: number, escalatedLoss: number, risk: number): number | undefined {
  if (chipLoss <= risk) return 0;
  return escalatedLoss <= risk ? (chipLoss - risk) / (chipLoss - escalatedLoss) : undefined;
}
