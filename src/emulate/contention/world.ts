/** The rest of the chip during one run: when it holds the DRAM and the NPUs. All times in cycles. */
import type { Interference } from "./interference.ts";

/**
 * One way for the rest of the chip to behave. The others take what their regulator allows whenever they are active and
 * save it up while they are not; so every scenario keeps the regulator, however it was drawn.
 */
export interface Scenario {
  /** When a refresh begins and when a slot of other programs does, each modulo its interval. */
  readonly refreshPhase: number;
  readonly slotPhase: number;
  /**
   * `times`: when they become active and rest again, ascending. `transfers`: they are active while the DRAM has our
   * transfers of these places in its order (1) and rest otherwise: somebody who knows what hurts.
   */
  readonly others: { readonly times: Float64Array } | { readonly transfers: Uint8Array };
}

/** Cycles in which a transfer stood still. */
export interface Lost {
  refresh: number;
  others: number;
  slots: number;
}

export interface World {
  /** Cycles that all transfers so far lost to each. */
  readonly lost: Readonly<Lost>;
  /** When our transfer, the `place`-th of the run, has had its demand. Calls in the DRAM's order. */
  serve(from: number, demand: number, place: number): number;
  /** When an engine that begins at `from` has worked for so long. */
  work(from: number, cycles: number): number;
}

export function createWorld({ refresh, others, slots }: Interference, scenario: Scenario): World {
  const { period, length } = slots;
  const { slotPhase } = scenario;
  const times = "times" in scenario.others ? scenario.others.times : undefined;
  const marks = "transfers" in scenario.others ? scenario.others.transfers : undefined;
  const refreshes = refresh.duration > 0;
  const present = others.share > 0 && others.burst >= others.grain;
  // The window that began before our run may still be open.
  let nextRefresh = refreshes
    ? (scenario.refreshPhase % refresh.interval) - refresh.interval
    : Number.POSITIVE_INFINITY;
  /** The DRAM is done with the others and its refreshes up to here. */
  let clock = 0;
  let [tokens, tokensAt] = [others.burst, 0];
  let nextGrain = Number.POSITIVE_INFINITY;
  let window = 0;
  /** The first slot that ends behind the DRAM's last transfer. */
  let slot = length > 0 ? 0 : Number.POSITIVE_INFINITY;
  const slotStart = (): number => (slot - 1) * period + (slotPhase % period);

  /** The earliest time from which on the regulator lets a grain pass. */
  const allowed = (): number => tokensAt + Math.max(0, others.grain - tokens) / others.share;
  const planByTime = (): void => {
    if (!present || times === undefined) return;
    let at = Math.max(clock, allowed());
    while (window < times.length && (times[window + 1] ?? Number.POSITIVE_INFINITY) <= at) window += 2;
    at = window < times.length ? Math.max(at, times[window]) : Number.POSITIVE_INFINITY;
    nextGrain = at;
  };
  const interrupt = (): void => {
    if (nextRefresh <= nextGrain) {
      clock = Math.max(clock, nextRefresh + refresh.duration);
      nextRefresh += refresh.interval;
      if (nextGrain < clock) nextGrain = clock;
      return;
    }
    tokens = Math.min(others.burst, tokens + others.share * (nextGrain - tokensAt)) - others.grain;
    tokensAt = nextGrain;
    clock = nextGrain + others.grain;
    while (nextRefresh < clock) {
      clock += refresh.duration;
      nextRefresh += refresh.interval;
    }
    if (times === undefined) nextGrain = Math.max(clock, allowed());
    else planByTime();
  };
  /** How far `time` lies in its period of slots. */
  const inPeriod = (time: number): number => {
    const offset = (time - slotPhase) % period;
    return offset < 0 ? offset + period : offset;
  };
  planByTime();

  const lost: Lost = { refresh: 0, others: 0, slots: 0 };
  return {
    lost,
    serve(from, demand, place) {
      let [time, rest] = [from, demand];
      const marked = present && marks !== undefined && marks[place] === 1;
      if (marked) nextGrain = Math.max(clock, allowed(), from);
      for (;;) {
        // Who knows what hurts saves it up while we are halted.
        if (marked && length > 0) nextGrain += Math.max(0, length - inPeriod(nextGrain));
        const next = Math.min(nextRefresh, nextGrain);
        if (next <= time) {
          const by = nextRefresh <= nextGrain ? "refresh" : "others";
          interrupt();
          if (clock > time) {
            lost[by] += clock - time;
            time = clock;
          }
          continue;
        }
        while (slotStart() + length <= time) slot++;
        const halt = slotStart();
        if (halt <= time) {
          lost.slots += halt + length - time;
          time = halt + length;
          continue;
        }
        const until = Math.min(next, halt);
        if (rest <= until - time) {
          if (marked) nextGrain = Number.POSITIVE_INFINITY;
          return time + rest;
        }
        rest -= until - time;
        time = until;
      }
    },
    work(from, cycles) {
      if (length === 0 || cycles === 0) return from + cycles;
      const offset = inPeriod(from);
      const begin = offset < length ? from + length - offset : from;
      const left = period - Math.max(offset, length);
      if (cycles <= left) return begin + cycles;
      return begin + cycles + Math.ceil((cycles - left) / (period - length)) * length;
    },
  };
}
