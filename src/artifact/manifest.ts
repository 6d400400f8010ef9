import { z } from "zod";
import type { Json } from "./canonical.ts";

const Name = z.string().max(4096);
const Shape = z.array(z.int().nonnegative()).max(32);
const Sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const Value = z.strictObject({ name: Name, dtype: z.string().max(32), shape: Shape });

/** Of the container and everything in it: another number is another format. */
export const FORMAT = 1;

const ManifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** The hardware description that the program was made for. */
  target: z.strictObject({ name: Name, digest: Sha256, profile: Name }),
  /** What the host feeds and gets, as the teacher names them: real numbers, before quantization and after it. */
  inputs: z.array(Value).max(1024),
  outputs: z.array(Value).max(1024),
  /** The program's own confidence: its output of one int16 code, whose margin it is, and how rows are taken together. */
  confidence: z.strictObject({ output: Name, of: Name, over: z.enum(["least", "mean"]), ctc: z.boolean() }).optional(),
  /** Values that the program keeps from step to step. */
  states: z.array(z.strictObject({ input: Name, output: Name })).max(1024),
});

/** What a runtime must know before it can run the sealed program. Every field is under the digest. */
export type Manifest = z.infer<typeof ManifestSchema>;

/** The manifest that a value is, or undefined where it is none. */
export function parseManifest(value: unknown): Manifest | undefined {
  const result = ManifestSchema.safeParse(value);
  return result.success ? result.data : undefined;
}

export function manifestJson(manifest: Manifest): Json {
  return manifest as unknown as Json;
}
