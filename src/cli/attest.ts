import { Command } from "commander";
import { CompileError } from "../error.ts";
import { collect } from "./options.ts";
import { printJson, tell } from "./terminal.ts";

interface Flags {
  readonly key: string;
  readonly trust: readonly string[];
  readonly json?: boolean;
}

export const attest = new Command("attest")
  .description("check both signatures and the certifier's verdict, and append a verification summary of one's own")
  .argument("<artifact>", "a .dopt file; the attestation is written into it")
  .requiredOption("--key <pem>", "the private key of who attests; not the build's")
  .requiredOption("--trust <pem>", "public keys: the build's first, then the certifier's (repeatable)", collect)
  .option("--json", "print one JSON document")
  .action(async (path: string, { key: keyPath, trust, json }: Flags) => {
    const [file, keys, policy, summary] = await Promise.all([
      import("../artifact/file.ts"),
      import("../artifact/keys.ts"),
      import("../artifact/verify.ts"),
      import("../artifact/summary.ts"),
    ]);
    const [build, certifier, ...more] = trust.flatMap(keys.readPublicKeys);
    if (build === undefined || certifier === undefined || more.length > 0) {
      throw new CompileError("trust/two-keys", "two public keys are needed to know what is attested", {
        remedy: "Give --trust public.pem, as `optimus-compile keygen` wrote it: the build's key, then the certifier's.",
      });
    }
    const key = keys.readPrivateKey(keyPath);
    const signedBy = keys.fingerprint(key);
    summary.requireOwnKey(key, build);
    const artifact = file.readArtifact(path);
    const { testResult } = policy.verifyAttestations(artifact, { build, certifier });
    const { result, failedTests } = testResult.predicate;
    const verdict = ({ PASSED: "pass", FAILED: "fail" } as const)[String(result) as "PASSED" | "FAILED"];
    const failed = Array.isArray(failedTests) ? failedTests.map(String) : [];
    const judged = { verdict: verdict ?? "incomplete", policy: summary.certifiedGates(artifact), failed } as const;
    file.writeArtifact(path, await summary.attestVerdict(artifact, judged, key));
    if (json)
      printJson({ schema: "optimus-compile/attest@1", artifact: path, digest: artifact.digest, ...judged, signedBy });
    else tell(`${judged.verdict}: signed by ${signedBy}\nartifact: ${path}\n`);
    process.exitCode = { pass: 0, fail: 1, incomplete: 5 }[judged.verdict];
  });
