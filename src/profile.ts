/** Where an artifact's time goes: its layers, what bounds each, what would help, and the same program on a changed chip. */
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact } from "./artifact/file.ts";
import { checkProfile, targetOf } from "./certify/measure.ts";
import { decodeProgram } from "./emulate/decode.ts";
import { LIMITS, type Limit } from "./emulate/limits.ts";
import { operate } from "./emulate/power.ts";
import { type LayerProfile, profileOf, reschedulingNeeds } from "./emulate/profile.ts";
import { timelineOf } from "./emulate/timing.ts";
import { type WhatIf, whatIfsOf } from "./emulate/what-if.ts";
import type { Program } from "./schedule/program.ts";
import { loadTarget } from "./target/load.ts";
import type { Target } from "./target/schema.ts";

export interface ProfileOptions {
  readonly profile?: string;
  /** Figures of the description that are to be others: `dram.GBps=448`. */
  readonly set?: readonly string[];
  /** Layers that are told what would help; absent: 20. */
  readonly top?: number;
}

export interface ProfiledLayer extends Omit<LayerProfile, "commands"> {
  /** What would help if this layer alone had it; absent where that gains nothing, or behind the first `top` layers. */
  readonly help?: WhatIf;
}

export interface Profiled {
  readonly target: string;
  readonly profile: string;
  readonly cycles: number;
  readonly ms: number;
  readonly clockGHz: number;
  /** Where a power cap costs something. */
  readonly capped?: string;
  readonly set: readonly string[];
  /** Under the description that the program was made for; absent where nothing was set. */
  readonly before?: { readonly cycles: number; readonly ms: number };
  /** Why the program should be scheduled anew for what was set. */
  readonly rescheduling: readonly string[];
  /** Cycles of the run by what they are for. */
  readonly limits: Readonly<Record<Limit, number>>;
  /** All of them; those that take the most of the run first. */
  readonly layers: readonly ProfiledLayer[];
  readonly whatIf: readonly WhatIf[];
}

const TOP = 20;

/** Throws what readArtifact throws; usage/unknown-profile, usage/bad-override, trust/other-target. */
export function profileArtifact(path: string, options: ProfileOptions = {}): Profiled {
  const artifact = readArtifact(path);
  const made = targetOf(artifact);
  const profile = options.profile ?? artifact.manifest.target.profile;
  checkProfile(made, profile);
  return profileProgram(programOf(artifact), made, { ...options, profile });
}

/** The same of a program and the description that it was made for. */
export function profileProgram(program: Program, made: Target, options: ProfileOptions = {}): Profiled {
  const { set = [], top = TOP, profile = made.defaultProfile } = options;
  const before = operate(program, made, { profile });
  const changed = set.length === 0 ? made : loadTarget(made.name, { set });
  const { target, timing, power } = set.length === 0 ? before : operate(program, changed, { profile });
  const timeline = timelineOf(program, target, { profile });
  const whatIfs = whatIfsOf(program, timeline, target, { profile });
  const layers = profileOf(timeline, target).map((layer, place): ProfiledLayer => {
    const { commands: _, ...rest } = layer;
    const help = place < top && layer.cycles > 0 ? whatIfs.forLayer(layer) : undefined;
    return { ...rest, ...(help && { help }) };
  });
  const limits = Object.fromEntries(
    LIMITS.map((limit) => [limit, layers.reduce((sum, layer) => sum + layer.limits[limit], 0)]),
  ) as Record<Limit, number>;
  return {
    ...{ target: made.name, profile, cycles: timing.cycles, ms: timing.ms, clockGHz: power.clockGHz },
    ...(power.note !== undefined && { capped: power.note }),
    set,
    ...(set.length > 0 && { before: { cycles: before.timing.cycles, ms: before.timing.ms } }),
    rescheduling: reschedulingNeeds(program, made, changed),
    limits,
    layers,
    whatIf: whatIfs.program,
  };
}

function programOf({ sections }: SealedArtifact): Program {
  const section = (name: string) => sections.get(name) ?? new Uint8Array();
  return decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
}
