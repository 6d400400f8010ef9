/** Who signed, and whether he did. */
import { PROVENANCE, SUMMARY, TEST_RESULT } from "../../src/artifact/statement.ts";
import { bytesOf, keys } from "./signed-artifact.ts";
import { edited, editOne, good, kindOf, other, put, putBundles, replace, swap, type Tampering } from "./tamper.ts";

export const SIGNATURES: readonly Tampering[] = [
  [
    "all signatures are taken out",
    "trust/unsigned",
    /nobody signed/,
    () => put(good, "attestations", Buffer.from("[]")),
  ],
  [
    "attestations are of another artifact",
    "trust/wrong-subject",
    /signed another artifact/,
    () => swap(other, "attestations"),
  ],
  [
    "the provenance is left out",
    "trust/missing-attestation",
    /the build has signed nothing/,
    () => putBundles((all) => all.filter((one) => kindOf(one) !== PROVENANCE)),
  ],
  [
    "the verdict is left out",
    "trust/missing-attestation",
    /the certifier has signed nothing/,
    () => putBundles((all) => all.filter((one) => kindOf(one) !== TEST_RESULT)),
  ],
  [
    "the gate's word is left out",
    "trust/missing-attestation",
    /the gate has signed nothing/,
    () => putBundles((all) => all.filter((one) => kindOf(one) !== SUMMARY)),
  ],
  ["a stranger certifies", "trust/wrong-key", /not by the key given/, () => replace(TEST_RESULT, "stranger")],
  ["the build certifies", "trust/build-as-certifier", /vouches for itself/, () => replace(TEST_RESULT, "build")],
  [
    "one key is trusted for both",
    "trust/same-key",
    /one and the same/,
    () => bytesOf(good),
    { keys: [keys.build.publicKey, keys.build.publicKey] },
  ],
  [
    "one key is trusted at all",
    "trust/two-keys",
    /two public keys/,
    () => bytesOf(good),
    { keys: [keys.build.publicKey] },
  ],
  [
    "the verdict is edited",
    "trust/signature",
    /certifier's signature does not hold/,
    () => editOne(TEST_RESULT, edited),
  ],
  ["the provenance is edited", "trust/signature", /build's signature does not hold/, () => editOne(PROVENANCE, edited)],
  [
    "one attestation stands there twice",
    "trust/duplicate-attestation",
    /twice/,
    () => putBundles((all) => [...all, all[1]]),
  ],
  [
    "the verdict is of an older predicate",
    "trust/predicate-version",
    /another version/,
    () =>
      replace(TEST_RESULT, "certifier", (claim) => {
        claim.predicateType = claim.predicateType.replace("v0.1", "v0.0");
      }),
  ],
  [
    "the provenance is SLSA 0.2",
    "trust/predicate-version",
    /another version/,
    () =>
      replace(PROVENANCE, "build", (claim) => {
        claim.predicateType = "https://slsa.dev/provenance/v0.2";
      }),
  ],
];
