/** What the container alone gives away. */
import { isSealed } from "../../src/artifact/container.ts";
import { bytesOf } from "./signed-artifact.ts";
import { exchanged, flipped, good, other, put, type Tampering, withHeader, withPadding } from "./tamper.ts";

export const BYTES: readonly Tampering[] = [
  ["the file is cut off", "trust/truncated", /cut off/, () => bytesOf(good).subarray(0, -7)],
  [
    "bytes are appended",
    "trust/appended",
    /after the last section/,
    () => Buffer.concat([bytesOf(good), Buffer.of(0)]),
  ],
  [
    "it is another kind of file",
    "trust/container",
    /begin as an artifact/,
    () => Buffer.from("PK\u0003\u0004".repeat(64)),
  ],
  ["sections are reordered", "trust/section-order", /another order/, () => withHeader(exchanged)],
  ["gaps carry a message", "trust/padding", /not zero/, () => withPadding()],
  [
    "it says another digest",
    "trust/digest",
    /digest is not/,
    () => withHeader((text) => text.replaceAll(good.digest, other.digest)),
  ],
  [
    "it says an older format",
    "trust/format-version",
    /format 0/,
    () => withHeader((text) => text.replace('"format":1', '"format":0')),
  ],
  ...[...good.sections.keys()].map(
    (name) => [`a bit flips in ${name}`, "trust/section", new RegExp(`"${name}"`), () => flipped(name)] as const,
  ),
  ...[...good.sections.keys()].filter(isSealed).map((name) => {
    const made = () => put(good, name, Buffer.concat([good.sections.get(name)!, Buffer.of(1)]));
    return [`${name} is sealed anew`, "trust/wrong-subject", /signed another artifact/, made] as const;
  }),
  [
    "another target is sealed in",
    "trust/wrong-subject",
    /another artifact/,
    () => bytesOf({ ...good, manifest: { ...good.manifest, target: { ...good.manifest.target, profile: "parked" } } }),
  ],
];
