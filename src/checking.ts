/** Checking an artifact's program as a stranger would. */
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact } from "./artifact/file.ts";
import { deadlineOf } from "./build/check.ts";
import { checkProfile, targetOf } from "./certify/measure.ts";
import { checkProgram, type Verdict } from "./checker/check.ts";
import type { DeadlineVerdict } from "./checker/deadline.ts";
import { decodeProgram } from "./emulate/decode.ts";
import { decodeRecord } from "./ir/record.ts";

export interface Checking extends Verdict {
  readonly target: string;
  readonly profile: string;
  /** Absent where the program is not safe to reason about. */
  readonly deadline?: DeadlineVerdict;
}

/** Throws what readArtifact throws, trust/other-target, trust/bad-program, usage/unknown-profile. Faults are returned. */
export function checkArtifact(path: string, options: { readonly profile?: string } = {}): Checking {
  return checkSealed(readArtifact(path), options.profile);
}

function checkSealed(artifact: SealedArtifact, given: string | undefined): Checking {
  const target = targetOf(artifact);
  const profile = given ?? artifact.manifest.target.profile;
  checkProfile(target, profile);
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const program = decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
  const verdict = checkProgram(program, target);
  const base = { target: target.name, profile, ...verdict };
  if (verdict.faults.length > 0) return base;
  return { ...base, deadline: deadlineOf(program, decodeRecord(section("record")), target, profile) };
}
