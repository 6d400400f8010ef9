import type { Entries } from "./entry.ts";

const AGAIN = "Get the artifact again from where it was built or certified.";
const CHANGED = "The file was changed or damaged after it was written.";
const VERSION = "Another version of optimus-compile wrote it.";

/** Exit status 4: a signature, a digest, or a permission. */
export const trust: Entries = {
  appended: ["The artifact has bytes beyond its last section.", CHANGED, AGAIN],
  attestations: ["An attestation is malformed.", CHANGED, AGAIN],
  "bad-key": [
    "A file is not the key that it should be.",
    "A public key where the private one belongs, or another file format.",
    "Keys are PEM; make them with `optimus-compile keygen`.",
  ],
  "bad-program": ["The sealed program is damaged.", CHANGED, AGAIN],
  "build-as-certifier": [
    "The build's key is offered as the certifier's.",
    "The two keys were mixed up.",
    "The build must not judge itself: give the certifier's own public key.",
  ],
  certificate: [
    "An attestation brings a certificate.",
    "It was signed through a service; here plain keys are known.",
    "Sign with a key of `optimus-compile keygen`.",
  ],
  container: ["The file is not a sound artifact.", "It is another file, or was damaged.", AGAIN],
  "cpu-command": [
    "The program runs a node on the host, which is not allowed here.",
    "It was built with allowCpu: true.",
    "Allow it where the artifact runs, or build without.",
  ],
  dataset: ["The lineage names another dataset than the build signed.", CHANGED, AGAIN],
  digest: ["The sealed sections do not have the digest that the artifact names.", CHANGED, AGAIN],
  "duplicate-attestation": ["One claim stands in the artifact twice.", "Somebody added attestations by hand.", AGAIN],
  encoding: ["A part of an attestation is not in the one form that its bytes have.", CHANGED, AGAIN],
  envelope: [
    "A signed envelope is not of the kind that is used here.",
    "It was signed by another tool.",
    "Sign with `optimus-compile certify --key` or `attest`.",
  ],
  "evidence-data": ["The evidence is of other data than the certifier signed for.", CHANGED, AGAIN],
  "evidence-schema": ["The evidence is of another version.", VERSION, "Certify the artifact again with this version."],
  "evidence-subject": [
    "The evidence is about another artifact.",
    "It was copied from one artifact into another.",
    AGAIN,
  ],
  "evidence-swapped": ["The evidence is not the one that the certifier signed.", CHANGED, AGAIN],
  "expired-waiver": [
    "The gate let the artifact pass by a waiver whose day is over.",
    "What it excused was not repaired in time.",
    "Run the gate again with a waiver that holds, or repair what it was about.",
  ],
  "format-version": [
    "The artifact is of a format that this version does not read.",
    VERSION,
    "Build it again with this version, or use the version that its lineage names.",
  ],
  golden: ["The golden vectors in the artifact are not sound.", CHANGED, AGAIN],
  "golden-mismatch": [
    "The program computes other codes than its golden vectors.",
    "Program or vectors were exchanged, or the host computes wrongly.",
    "Do not run it; get the artifact again.",
  ],
  "key-kind": [
    "A key is of a kind that is not used here.",
    "An RSA key, or another curve.",
    "Keys are P-256 or Ed25519: `optimus-compile keygen`.",
  ],
  ledger: [
    "The ledger of looks is not as it was written.",
    "Lines were taken out, changed, or put in between.",
    "Get the ledger from where it is kept; evidence that stands on a changed one proves nothing.",
  ],
  "ledger-digest": ["The evidence names another ledger of looks than was signed.", CHANGED, AGAIN],
  "ledger-look": [
    "The ledger does not tell of the look that the certifier signed.",
    "It is another ledger, or an old copy.",
    "Give the ledger that the certifier wrote to.",
  ],
  lineage: ["The artifact does not say where it comes from.", CHANGED, AGAIN],
  "lineage-schema": [
    "The lineage is of another version.",
    VERSION,
    "Build the artifact again with this version, or read it with the one that made it.",
  ],
  "lineage-swapped": ["The lineage is not the one that the build signed.", CHANGED, AGAIN],
  "media-type": [
    "An attestation calls itself something else than a sigstore bundle.",
    "It was written by another tool.",
    AGAIN,
  ],
  "missing-attestation": [
    "The one whose key was given has signed nothing of this kind.",
    "It was never signed, or the attestation was taken out.",
    "Build with `key`, certify with `certifierKey`; or accept it with --unsigned, knowing what that means.",
  ],
  "mixed-evidence": [
    "Verdict and figures were signed over different evidence.",
    "Attestations of two certifications were mixed.",
    "Certify the artifact again.",
  ],
  "other-baseline": [
    "This is not the baseline that the budgets name.",
    "The baseline's file was exchanged.",
    "Give the baseline with the named digest, or change the budgets in a reviewed commit (`accept`).",
  ],
  "other-recipe": [
    "The artifact was not built from this recipe.",
    "The recipes were given in the wrong order, or changed since.",
    "Give the recipes of the two artifacts in their order, with the settings of their builds.",
  ],
  "other-target": [
    "The hardware description here is not the one of the build.",
    "The target's file changed since.",
    "Use the version that the artifact's lineage names, or build again.",
  ],
  "other-teacher": [
    "The teacher is not the one that the artifact was made from.",
    "The model's file changed since the build.",
    "Certify with the teacher of the build, or build again.",
  ],
  padding: ["Bytes between sections are not zero.", CHANGED, AGAIN],
  "payload-type": [
    "What was signed is of another type than an in-toto statement.",
    "It was signed by another tool.",
    AGAIN,
  ],
  predicate: ["A signed claim lacks what it must say.", VERSION, "Sign it again with this version."],
  "predicate-version": ["A signed claim is of another version.", VERSION, "Sign it again with this version."],
  rebuild: [
    "Made again, the artifact comes out different; the message names the first stage that does.",
    "Another recipe, other data, another version; in the float part another kind of CPU.",
    "Give the build's own recipe, settings and version.",
  ],
  record: ["The quantization record cannot be read.", CHANGED, AGAIN],
  "same-key": [
    "Build and certifier use one key.",
    "`key` and `certifierKey` name the same file.",
    "Give the certifier a key of its own: `optimus-compile keygen` makes both.",
  ],
  section: ["A section is not what was sealed.", CHANGED, AGAIN],
  "section-order": [
    "Sections stand in another order than they are written in.",
    "Another program wrote the file.",
    AGAIN,
  ],
  "several-signatures": ["One envelope carries several signatures.", "It was signed by another tool.", AGAIN],
  signature: [
    "A signature does not hold.",
    "The claim was changed after it was signed, or another key signed it.",
    AGAIN,
  ],
  "slsa-level": [
    "The gate's summary claims a build level that a build which signs for itself has not.",
    "The summary was written by another tool.",
    "Do not rely on it.",
  ],
  "stale-summary": [
    "The gate's summary is about an earlier certification.",
    "The artifact was certified again after the gate had passed it.",
    "Run the gate again, with `--attest`.",
  ],
  statement: ["An attestation holds no in-toto statement about one artifact.", CHANGED, AGAIN],
  "too-large": [
    "The program needs more memory than a host gives.",
    "A damaged or hostile artifact, or a very large model.",
    "Run it on a host with more memory, if you trust it.",
  ],
  "transparency-log": [
    "An attestation names a transparency log, which nobody here can ask.",
    "It was signed through a service.",
    "Sign with a plain key.",
  ],
  truncated: ["The artifact ends early.", "A copy or download that was interrupted.", AGAIN],
  "two-keys": [
    "Somebody's key was given, and not the other's.",
    "Evidence counts only with the certifier's key, provenance only with the build's.",
    "Give --key BUILD.pub.pem and --certifier-key CERTIFIER.pub.pem.",
  ],
  "unsafe-program": [
    "The checker cannot prove the program safe to run.",
    "A damaged or hostile artifact.",
    "Do not run it; `optimus-compile check` tells what is wrong.",
  ],
  unsigned: [
    "Nobody signed this artifact.",
    "The recipe has no keys.",
    "Build with `key` and `certifierKey`, or give --unsigned to check the content alone.",
  ],
  waiver: ["A waiver cannot be read.", "It was written by hand.", "Have it written by `optimus-compile waive`."],
  "waiver-key": [
    "A waiver is signed by a key that may not waive anything.",
    "The wrong person signed, or the wrong key was given.",
    "Give the public key of whoever may waive with --waiver-key.",
  ],
  "wrong-key": [
    "A claim is signed with another key than the one that was given.",
    "The wrong public key, or the wrong signer.",
    "Give the public key of the one who signed.",
  ],
  "wrong-subject": [
    "An attestation is about another artifact.",
    "It was copied from one artifact into another.",
    AGAIN,
  ],
};
