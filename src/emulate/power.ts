/** Voltages and clocks: what the board draws while a program runs over and over, and the clock that its cap allows. */
import { CompileError } from "../error.ts";
import type { Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { type Energy, energyOf, type Range, rangeOf } from "./energy.ts";
import { type Timing, type TimingOptions, timeProgram } from "./timing.ts";

/** A program on its target as the profile lets it run for as long as one likes. */
export interface Operation {
  /** The description at the clock that the cap allows. */
  readonly target: Target;
  readonly timing: Timing;
  readonly energy: Energy;
  readonly power: Power;
}

export interface Power {
  readonly clockGHz: number;
  /** What the chip could do without the cap. */
  readonly maximumGHz: number;
  /** Of the board with all its SoCs at work: estimate, low, mid, high. The clock follows from mid. */
  readonly boardWatts: Range;
  readonly capWatts: number;
  /** Below 1 where the cap is exceeded at the slowest clock too, and runs have to wait for each other. */
  readonly dutyShare: number;
  readonly inferencesPerSecond: number;
  /** An inference with its part of what the board draws anyway, and of what the car does. */
  readonly boardMJ: Range;
  readonly vehicleMJ?: Range;
  /** Where the cap costs something, a sentence that says so. */
  readonly note?: string;
}

/** Clocks are set in steps of so many GHz. */
const STEP = 0.05;

/** The description at another clock; what takes its time in nanoseconds takes another number of cycles. */
export function atClock(target: Target, GHz: number): Target {
  if (GHz === target.clockGHz) return target;
  const scale = GHz / target.clockGHz;
  const { dma, cpu } = target;
  return {
    ...target,
    clockGHz: GHz,
    dma: { ...dma, latencyCycles: Math.ceil(dma.latencyCycles * scale) },
    cpu: { callCycles: Math.ceil(cpu.callCycles * scale), cyclesPerElement: cpu.cyclesPerElement * scale },
  };
}

/**
 * The fastest clock at which the board stays within the profile's cap (its own limit where the profile has none), with
 * all SoCs at work. Leakage is part of what the board draws without work. Throws usage/power-cap.
 */
export function operate(program: Program, target: Target, options: TimingOptions = {}): Operation {
  const profile = target.profiles[options.profile ?? target.defaultProfile];
  const capWatts = profile?.powerCapWatts ?? target.power.boardWatts;
  const at = (GHz: number) => {
    const slowed = atClock(target, GHz);
    const timing = timeProgram(program, slowed, options);
    const energy = energyOf(program, timing, slowed, options.entry);
    const watts = boardWattsOf(energy, timing, slowed);
    return { target: slowed, timing, energy, watts };
  };
  if (capWatts <= target.power.idleWatts) {
    const idle = `the board of ${target.name} draws ${target.power.idleWatts} W without work`;
    throw new CompileError("usage/power-cap", `${idle}, its cap is ${capWatts} W`, {
      where: `profiles.${options.profile ?? target.defaultProfile}`,
      remedy: "set powerCapWatts above power.idleWatts",
    });
  }
  let found = at(target.clockGHz);
  const slowest = target.power.curve?.[0].GHz ?? target.clockGHz;
  if (found.watts.mid > capWatts && slowest < target.clockGHz) {
    // Power grows with the clock: halve the steps that are in question.
    const count = Math.floor((target.clockGHz - slowest) / STEP + 1e-9);
    let [allowed, refused] = [0, count + 1];
    found = at(slowest);
    while (found.watts.mid <= capWatts && refused - allowed > 1) {
      const middle = (allowed + refused) >> 1;
      const tried = at(Number((slowest + middle * STEP).toFixed(4)));
      if (tried.watts.mid > capWatts || tried.target.clockGHz >= target.clockGHz) refused = middle;
      else [allowed, found] = [middle, tried];
    }
  }
  const { watts, ...operation } = found;
  return { ...operation, power: powerOf(operation, watts, target, capWatts, profile?.socs === "redundant") };
}

function dynamicOf({ mJ, parts }: Energy): Range {
  return rangeOf((level) => mJ[level] - parts.leakage[level]);
}

function boardWattsOf(energy: Energy, { ms }: Timing, { socs, power }: Target): Range {
  const dynamic = dynamicOf(energy);
  return rangeOf((level) => power.idleWatts + (ms > 0 ? (socs * dynamic[level]) / ms : 0));
}

function powerOf(
  { target, timing, energy }: Pick<Operation, "target" | "timing" | "energy">,
  busy: Range,
  { clockGHz: maximumGHz }: Target,
  capWatts: number,
  redundant: boolean,
): Power {
  const { idleWatts, vehicleWatts } = target.power;
  const over = busy.mid - idleWatts;
  const dutyShare = busy.mid <= capWatts || over <= 0 ? 1 : (capWatts - idleWatts) / over;
  const boardWatts = rangeOf((level) => idleWatts + (busy[level] - idleWatts) * dutyShare);
  // Redundant SoCs do the same inference.
  const different = redundant ? 1 : target.socs;
  const inferencesPerSecond = timing.ms > 0 ? (1000 / timing.ms) * dutyShare * different : 0;
  const dynamic = dynamicOf(energy);
  const withIdle = (watts: number) =>
    rangeOf((level) => (dynamic[level] * target.socs) / different + (watts / inferencesPerSecond) * 1e3);
  const vehicle = vehicleWatts === undefined ? {} : { vehicleMJ: withIdle(vehicleWatts) };
  const note = noteOf(target, maximumGHz, capWatts, dutyShare);
  return {
    ...{ clockGHz: target.clockGHz, maximumGHz, boardWatts, capWatts, dutyShare, inferencesPerSecond },
    boardMJ: withIdle(idleWatts),
    ...vehicle,
    ...(note !== undefined && { note }),
  };
}

function noteOf({ clockGHz }: Target, maximumGHz: number, capWatts: number, dutyShare: number): string | undefined {
  const rest = dutyShare < 1 ? `, and runs only ${(100 * dutyShare).toFixed(1)} % of the time` : "";
  if (clockGHz === maximumGHz && rest === "") return undefined;
  return `the cap of ${capWatts} W lowers the clock from ${maximumGHz} to ${clockGHz} GHz${rest}`;
}
