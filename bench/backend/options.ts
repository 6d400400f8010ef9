/** The command line of the bench, and the target that it names. */
import { parseArgs } from "node:util";
import { CompileError } from "../../src/error.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";

export interface BenchOptions {
  readonly target: string;
  readonly profile?: string;
  /** What-if, as `targets show` prints the paths: `sram=1MiB`. */
  readonly set: readonly string[];
  readonly npus: number;
  /** Of a memory instance, in bytes. */
  readonly capacity?: number;
}

export interface BenchCommand {
  readonly words: readonly string[];
  readonly options: BenchOptions;
}

export function wholeNumber(text: string, what: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value >= 1) return value;
  throw new CompileError("usage/bad-option", `${what} is a whole number of at least 1, not "${text.slice(0, 40)}"`);
}

/** Throws usage/bad-option. */
export function parseCommand(given: readonly string[]): BenchCommand {
  try {
    const { values, positionals } = parseArgs({
      args: [...given],
      allowPositionals: true,
      options: {
        target: { type: "string", default: "ai4" },
        profile: { type: "string" },
        set: { type: "string", multiple: true, default: [] },
        npus: { type: "string", default: "1" },
        capacity: { type: "string" },
      },
    });
    const { target, profile, set, npus, capacity } = values;
    const options: BenchOptions = {
      target,
      ...(profile === undefined ? {} : { profile }),
      set: set.flatMap((text) => text.split(",")),
      npus: wholeNumber(npus, "--npus"),
      ...(capacity === undefined ? {} : { capacity: wholeNumber(capacity, "--capacity") }),
    };
    return { words: positionals, options };
  } catch (error) {
    if (error instanceof CompileError || !(error instanceof Error)) throw error;
    throw new CompileError("usage/bad-option", error.message);
  }
}

/** The description and the profile that figures are taken under. Throws usage/unknown-target, usage/unknown-profile. */
export function targetOf({ target: name, profile: wanted, set }: BenchOptions): { target: Target; profile: string } {
  const target = loadTarget(name, { set });
  const profile = wanted ?? target.defaultProfile;
  if (Object.hasOwn(target.profiles, profile)) return { target, profile };
  throw new CompileError("usage/unknown-profile", `the target ${name} has no profile "${profile.slice(0, 40)}"`, {
    remedy: `choose one of ${Object.keys(target.profiles).join(", ")}`,
  });
}
