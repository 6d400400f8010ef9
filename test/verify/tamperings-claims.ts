/** What is said, and about what. */
import { join } from "node:path";
import { SUMMARY, TEST_RESULT } from "../../src/artifact/statement.ts";
import { bytesOf, certified, folder, gated, WAIVED_UNTIL } from "./signed-artifact.ts";
import {
  editOne,
  editPayload,
  fresh,
  good,
  other,
  putJson,
  replace,
  resigned,
  swap,
  type Tampering,
} from "./tamper.ts";

export const CLAIMS: readonly Tampering[] = [
  [
    "a dataset's digest is swapped in the lineage",
    "trust/dataset",
    /another data\/calibration/,
    () =>
      putJson("lineage", ({ data }) =>
        Object.assign((data as { calibration: object }).calibration, { digest: `sha256:${"f".repeat(64)}` }),
      ),
  ],
  [
    "the teacher is swapped in the lineage",
    "trust/lineage-swapped",
    /lineage in the file/,
    () => putJson("lineage", ({ teacher }) => Object.assign(teacher as object, { digest: `sha256:${"f".repeat(64)}` })),
  ],
  [
    "the evidence's dataset is swapped",
    "trust/evidence-data",
    /other data than the certifier/,
    () => putJson("evidence", ({ data }) => Object.assign(data as object, { digest: `sha256:${"f".repeat(64)}` })),
  ],
  [
    "the evidence's ledger is swapped",
    "trust/ledger-digest",
    /another ledger/,
    () => putJson("evidence", ({ looked }) => Object.assign(looked as object, { ledger: `sha256:${"f".repeat(64)}` })),
  ],
  [
    "the evidence's figures are improved",
    "trust/evidence-swapped",
    /evidence in the file/,
    () =>
      putJson("evidence", (value) => {
        value.accuracy = { compiled: 0.95 };
      }),
  ],
  [
    "the evidence is of another artifact",
    "trust/evidence-subject",
    /evidence is about another/,
    () => swap(other, "evidence"),
  ],
  [
    "an earlier verdict stands in for the last",
    "trust/mixed-evidence",
    /other evidence than the figures/,
    () =>
      replace(TEST_RESULT, "certifier", ({ predicate }) => {
        predicate.configuration = [{ name: "evidence", digest: { sha256: "0".repeat(64) } }];
      }),
  ],
  [
    "the evidence is of an older schema",
    "trust/evidence-schema",
    /evidence@0/,
    () =>
      resigned((evidence) => {
        evidence.schema = "optimus-compile/evidence@0";
      }),
  ],
  [
    "the evidence speaks of another artifact",
    "trust/evidence-subject",
    /evidence is about another/,
    () =>
      resigned((evidence) => {
        evidence.digest = other.digest;
      }),
  ],
  [
    "the verdict says nothing",
    "trust/predicate",
    /lacks what it must say/,
    () =>
      replace(TEST_RESULT, "certifier", (claim) => {
        claim.predicate = {};
      }),
  ],
  [
    "a waiver has run out",
    "trust/expired-waiver",
    /waiver of maxMs ended/,
    () => bytesOf(good),
    { today: "2031-06-01" },
  ],
  [
    "a waiver is prolonged",
    "trust/signature",
    /gate's signature does not hold/,
    () => editOne(SUMMARY, (bundle) => editPayload(bundle, (text) => text.replace(WAIVED_UNTIL, "2099-05-31"))),
  ],
  ["a stranger plays the gate", "trust/wrong-key", /the gate's signature is by/, () => replace(SUMMARY, "stranger")],
  [
    "the build plays the gate",
    "trust/build-as-certifier",
    /the gate's claim is signed with the build's key/,
    () => replace(SUMMARY, "build"),
  ],
  [
    "the gate claims too high a level",
    "trust/slsa-level",
    /SLSA_BUILD_LEVEL_3/,
    () =>
      replace(SUMMARY, "gate", ({ predicate }) => {
        predicate.verifiedLevels = ["SLSA_BUILD_LEVEL_3"];
      }),
  ],
  [
    "the gate did not pass",
    "gate/summary",
    /did not let/,
    () =>
      replace(SUMMARY, "gate", ({ predicate }) => {
        predicate.verificationResult = "FAILED";
      }),
  ],
  [
    "it failed its certification",
    "gate/certification",
    /verdict is FAILED/,
    async () => bytesOf(await gated(await certified(fresh, { verdict: "fail" }))),
  ],
  [
    "the ledger forgets the look",
    "trust/ledger-look",
    /does not tell of the look/,
    () => bytesOf(good),
    { ledger: join(folder, "none.jsonl") },
  ],
  [
    "the ledger was changed",
    "trust/ledger",
    /not as it was written/,
    () => bytesOf(good),
    { ledger: join(folder, "changed.jsonl") },
  ],
];
