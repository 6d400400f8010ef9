/** A gate's own word about what it judged: SLSA's verification summary, appended to the artifact. */
import type { KeyObject } from "node:crypto";
import type { Artifact } from "../artifact/container.ts";
import { attestVerdict, certifiedGates, requireOwnKey } from "../artifact/summary.ts";
import { CompileError } from "../error.ts";
import type { ArtifactLine, GateDocument } from "../report/gate-document.ts";
import type { Evidence, Trust } from "./evidence.ts";

/**
 * Who may sign what a gate says: not the build, and nobody where nobody vouches for the evidence. Throws
 * usage/attest-unsigned and trust/same-key. Asked before anything is judged.
 */
export function requireAttester(key: KeyObject, trust: Trust): void {
  if (trust === "unsigned") {
    throw new CompileError("usage/attest-unsigned", "a verdict about evidence that nobody vouches for is not signed", {
      remedy: "Give --key BUILD.pub.pem --certifier-key CERTIFIER.pub.pem in the place of --unsigned.",
    });
  }
  requireOwnKey(key, trust.build);
}

/** The artifact, as it was judged, with the verdict appended: of every gate that did not pass and every waiver that was taken. */
export function attestJudgement(
  { artifact }: Evidence,
  { verdict, gates }: ArtifactLine,
  budgets: GateDocument["budgets"],
  key: KeyObject,
): Promise<Artifact> {
  const policy = budgets ? { name: "budgets", digest: budgets.digest } : certifiedGates(artifact);
  const failed = gates.filter((line) => line.verdict === "fail" || line.verdict === "incomplete");
  const waivers = gates.flatMap(({ gate, waiver }) => (waiver ? [{ gate, ...waiver }] : []));
  return attestVerdict(artifact, { verdict, policy, failed: failed.map(({ gate }) => gate), waivers }, key);
}
