/** Verification in order: the bytes, who vouches for them, what they compute, and whether they can be made again. */
import type { KeyObject } from "node:crypto";
import type { SealedArtifact } from "./artifact/container.ts";
import { readArtifact } from "./artifact/file.ts";
import { decodeGolden } from "./artifact/golden.ts";
import { fingerprint } from "./artifact/keys.ts";
import { checkSummary } from "./artifact/summary.ts";
import { attestationsOf, type Claims, unsigned, verifyAttestations } from "./artifact/verify.ts";
import { headOf, readLedger } from "./certify/ledger.ts";
import { requireProven, targetDigest } from "./certify/measure.ts";
import { decodeProgram } from "./emulate/decode.ts";
import { CompileError } from "./error.ts";
import { sayOperatingPoint, signedOperatingPoint } from "./escalation.ts";
import { decodeRecord } from "./ir/record.ts";
import type { Recipe } from "./recipe.ts";
import { chipExecutor, disagreement, fastExecutor } from "./replay.ts";
import { loadTarget } from "./target/load.ts";

export interface Check {
  readonly name: string;
  readonly says: string;
}

export interface VerifyOptions {
  /** Public keys: the build's, then the certifier's. */
  readonly keys: readonly KeyObject[];
  readonly unsigned: boolean;
  /** A gate's public key: then its verification summary is wanted, too. */
  readonly gateKey?: KeyObject;
  /** The ledger of looks: then it must tell of the look that the certifier signed. */
  readonly ledger?: string;
  /** The day for which waivers must hold, `YYYY-MM-DD` in UTC; today unless given. */
  readonly today?: string;
  /** Make the program again from the record. */
  readonly rebuild: boolean;
  /** Make the whole artifact again. */
  readonly recipe?: Recipe;
  readonly signal?: AbortSignal;
}

export interface Verification {
  readonly digest: string;
  readonly checks: readonly Check[];
}

/** Throws CompileError at the first thing that is not as it must be: trust/… , or gate/certification. */
export async function verifyArtifact(path: string, options: VerifyOptions): Promise<Verification> {
  const artifact = readArtifact(path);
  const checks: Check[] = [{ name: "container", says: `${artifact.sections.size} sections as sealed` }];
  checks.push(...checkSignatures(artifact, options));
  checks.push(proof(artifact), replay(artifact));
  if (options.rebuild) {
    const { rebuildFromRecipe, rebuildFromRecord } = await import("./rebuild.ts");
    checks.push(rebuildFromRecord(artifact));
    if (options.recipe) checks.push(await rebuildFromRecipe(artifact, options.recipe, options.signal));
  }
  return { digest: artifact.digest, checks };
}

function checkSignatures(artifact: SealedArtifact, options: VerifyOptions): Check[] {
  const { keys, unsigned: bytesOnly, gateKey } = options;
  if (bytesOnly) return [{ name: "signatures", says: "not looked at (--unsigned)" }];
  if (attestationsOf(artifact).length === 0) throw unsigned(artifact);
  const [build, certifier, ...more] = keys;
  if (build === undefined || certifier === undefined || more.length > 0) {
    throw new CompileError("trust/two-keys", `two public keys are needed, ${keys.length} given`, {
      remedy: "Give --key BUILD.pub.pem --certifier-key CERTIFIER.pub.pem: the build does not vouch for itself.",
    });
  }
  const claims = verifyAttestations(artifact, { build, certifier, ...(gateKey && { gate: gateKey }) });
  const { testResult } = claims;
  const { result } = testResult.predicate;
  if (result !== "PASSED") {
    const code = result === "FAILED" ? "gate/certification" : "evidence/certification";
    throw new CompileError(code, `the certifier's verdict is ${String(result)}`, {
      where: `failed gates: ${[testResult.predicate.failedTests].flat().join(", ")}`,
      remedy: "The artifact is what its makers say, but it did not pass.",
    });
  }
  return [
    { name: "build", says: `signed by ${fingerprint(build)}` },
    { name: "certifier", says: `signed by ${fingerprint(certifier)}, verdict ${result}` },
    ...checkLedger(artifact, claims, certifier, options.ledger),
    ...checkGate(claims, options),
    ...checkOperatingPoint(artifact, certifier),
  ];
}

/** The look that the certifier signed must be one that the ledger tells of, at the line that he named. */
function checkLedger(artifact: SealedArtifact, { metrics }: Claims, certifier: KeyObject, path?: string): Check[] {
  if (path === undefined) return [];
  const { look, ledger } = (metrics.predicate.looked ?? {}) as { look?: number; ledger?: string };
  const looks = readLedger(path, certifier);
  const heads = [...looks.slice(1).map(({ previous }) => previous), headOf(path)];
  const at = heads.indexOf(ledger ?? "");
  const found = looks.slice(0, at + 1).findLast(({ artifact: digest }) => digest === artifact.digest);
  if (found === undefined || found.look !== look) {
    throw new CompileError("trust/ledger-look", "the ledger does not tell of the look that the certifier signed", {
      where: path,
      remedy: "Give the ledger that the certifier wrote to; a count of looks that nobody can see proves nothing.",
    });
  }
  return [{ name: "ledger", says: `look ${found.look} at this data, of ${looks.length} looks in all` }];
}

function checkGate({ summary }: Claims, { today, gateKey }: VerifyOptions): Check[] {
  if (summary === undefined || gateKey === undefined) return [];
  const day = today ?? new Date().toISOString().slice(0, 10);
  const { policy, waivers, verifiedLevels } = checkSummary(summary.predicate, day);
  const waived = waivers.map(({ gate, until }) => `, ${gate} waived until ${until}`).join("");
  const says = `signed by ${fingerprint(gateKey)}, passed ${policy.uri}${waived}; ${verifiedLevels.join(", ")} at most`;
  return [{ name: "gate", says }];
}

/** Which decisions may stay on the chip, where the certifier said so. */
function checkOperatingPoint(artifact: SealedArtifact, certifier: KeyObject): Check[] {
  const point = signedOperatingPoint(artifact, certifier);
  return point === undefined ? [] : [{ name: "escalation", says: sayOperatingPoint(point) }];
}

/** The program checker, under the description that the artifact was made for. */
function proof(artifact: SealedArtifact): Check {
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const program = decodeProgram({ program: section("program"), weights: section("weights"), plan: section("plan") });
  const { name, digest } = artifact.manifest.target;
  const target = loadTarget(name);
  if (targetDigest(target) !== digest)
    return { name: "program", says: `not proven: the description of ${name} here is not the one of the build` };
  const { commands, proven } = requireProven(program, target);
  return { name: "program", says: `${commands} commands safe, ${proven} accumulators proven in range` };
}

/** Both executors, on this very machine. */
function replay(artifact: SealedArtifact): Check {
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const sequences = decodeGolden(section("golden"));
  const sections = { program: section("program"), weights: section("weights"), plan: section("plan") };
  const executors = {
    "the machine": chipExecutor(sections),
    "the fast executor": fastExecutor(decodeRecord(section("record"))),
  };
  for (const [name, executor] of Object.entries(executors)) {
    const found = disagreement(sequences, executor);
    if (found === undefined) continue;
    throw new CompileError("trust/golden-mismatch", `${name} computes other codes than the golden vectors: ${found}`, {
      where: "section golden",
      remedy: "Do not run this artifact: it does not compute what was certified.",
    });
  }
  const steps = sequences.reduce((sum, { length }) => sum + length, 0);
  return { name: "golden vectors", says: `${steps} runs, equal in the machine and the fast executor` };
}
