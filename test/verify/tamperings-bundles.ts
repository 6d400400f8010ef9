/** The rules of sigstore bundles. */
import { METRICS } from "../../src/artifact/statement.ts";
import { editOne, type Tampering } from "./tamper.ts";

export const BUNDLES: readonly Tampering[] = [
  [
    "a second signature rides along",
    "trust/several-signatures",
    /2 signatures/,
    () => editOne(METRICS, ({ dsseEnvelope }) => void dsseEnvelope.signatures.push(dsseEnvelope.signatures[0])),
  ],
  [
    "no signature is left",
    "trust/several-signatures",
    /0 signatures/,
    () =>
      editOne(METRICS, ({ dsseEnvelope }) => {
        dsseEnvelope.signatures = [];
      }),
  ],
  [
    "the payload calls itself otherwise",
    "trust/payload-type",
    /payload is/,
    () =>
      editOne(METRICS, ({ dsseEnvelope }) => {
        dsseEnvelope.payloadType = "text/plain";
      }),
  ],
  [
    "the bundle is of an older version",
    "trust/media-type",
    /calls itself/,
    () =>
      editOne(METRICS, (bundle) => {
        bundle.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1";
      }),
  ],
  [
    "a certificate comes with the key",
    "trust/certificate",
    /and a key as well/,
    () =>
      editOne(METRICS, ({ verificationMaterial }) => {
        verificationMaterial.certificate = { rawBytes: "AAAA" };
      }),
  ],
  [
    "a certificate comes instead of the key",
    "trust/certificate",
    /known by a plain key/,
    () =>
      editOne(METRICS, (bundle) => {
        bundle.verificationMaterial = { certificate: { rawBytes: "AAAA" } };
      }),
  ],
  [
    "a log's entry is made up",
    "trust/transparency-log",
    /transparency log/,
    () =>
      editOne(METRICS, ({ verificationMaterial }) => {
        verificationMaterial.tlogEntries = [{ logIndex: "1" }];
      }),
  ],
  [
    "a message is signed instead",
    "trust/envelope",
    /message/,
    () => editOne(METRICS, (bundle) => Object.assign(bundle, { messageSignature: { signature: "AAAA" } })),
  ],
  [
    "the base64 has blanks",
    "trust/encoding",
    /base64/,
    () =>
      editOne(METRICS, ({ dsseEnvelope }) => {
        dsseEnvelope.payload = `${dsseEnvelope.payload.slice(0, 8)}\n${dsseEnvelope.payload.slice(8)}`;
      }),
  ],
  [
    "the signature's base64 lacks its end",
    "trust/encoding",
    /base64/,
    () =>
      editOne(METRICS, ({ dsseEnvelope: { signatures } }) => {
        signatures[0].sig = signatures[0].sig.replace(/=+$/, "!");
      }),
  ],
  [
    "a field is added to the bundle",
    "trust/attestations",
    /malformed/,
    () => editOne(METRICS, (bundle) => Object.assign(bundle, { also: 1 })),
  ],
  [
    "the payload is no statement",
    "trust/statement",
    /no in-toto statement/,
    () =>
      editOne(METRICS, ({ dsseEnvelope }) => {
        dsseEnvelope.payload = Buffer.from("{}").toString("base64");
      }),
  ],
];
