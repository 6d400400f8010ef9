import { type KeyObject, sign as signBytes } from "node:crypto";
import { bundleToJSON, type SerializedBundle } from "@sigstore/bundle";
import { canonicalBytes, type Json } from "./canonical.ts";
import { fingerprint } from "./keys.ts";
import { PAYLOAD_TYPE, type Statement } from "./statement.ts";

/**
 * Signs a statement: DSSE in a sigstore bundle, by a key alone (no certificate, no transparency log, no clock).
 * ECDSA draws a random number, so two signatures differ: they stand outside every digest that must reproduce.
 */
export async function signStatement(statement: Statement, key: KeyObject): Promise<SerializedBundle> {
  // Its whole client of transparency logs comes with it: only who signs waits for that.
  const { DSSEBundleBuilder } = await import("@sigstore/sign");
  const builder = new DSSEBundleBuilder({
    signer: {
      async sign(data) {
        const signature = signBytes(key.asymmetricKeyType === "ec" ? "sha256" : null, data, key);
        return { signature, key: { $case: "publicKey", publicKey: "", hint: fingerprint(key) } };
      },
    },
    witnesses: [],
  });
  const data = Buffer.from(canonicalBytes(statement as unknown as Json));
  return bundleToJSON(await builder.create({ data, type: PAYLOAD_TYPE }));
}
