import { readFileSync, statSync } from "node:fs";
import { CompileError } from "../error.ts";

/** Sound as numbers in −1..1. */
export interface Sound {
  readonly rate: number;
  readonly samples: Float32Array;
}

const MAX_BYTES = 512 * 2 ** 20;
const PCM = 1;
const EXTENSIBLE = 0xfffe;

/** A recording: RIFF/WAVE of 16-bit PCM with one channel, or headerless 16-bit little-endian samples (`.raw`) at `rate`. */
export function readSound(path: string, rate: number): Sound {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new CompileError("usage/missing-data", "the recording does not exist", { where: path });
  if (size > MAX_BYTES)
    throw new CompileError("usage/data-too-big", `the recording has ${size} bytes`, { where: path });
  const bytes = readFileSync(path);
  const sound = path.endsWith(".raw") ? { rate, samples: fromPcm(bytes) } : parseWav(bytes, path);
  if (sound.rate === rate && sound.samples.length > 0) return sound;
  const what = sound.rate === rate ? "is empty" : `has ${sound.rate} samples a second, not ${rate}`;
  throw new CompileError("usage/bad-wav", `the recording ${what}`, {
    where: path,
    remedy: `convert it, for example: sox IN.wav -r ${rate} -c 1 -b 16 OUT.wav`,
  });
}

/** @throws CompileError where the bytes are no RIFF/WAVE of mono 16-bit PCM, or end early. */
export function parseWav(bytes: Uint8Array, name: string): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bad = (message: string): CompileError =>
    new CompileError("usage/bad-wav", message, { where: name, remedy: "give 16-bit PCM with one channel" });
  const tag = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") throw bad("this is not a WAV file");
  let rate: number | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [kind, size, body] = [tag(at), view.getUint32(at + 4, true), at + 8];
    if (body + size > bytes.length) throw bad(`the chunk ${JSON.stringify(kind)} ends early`);
    if (kind === "fmt ") {
      if (size < 16) throw bad("the format chunk is too short");
      const [format, channels, bits] = [0, 2, 14].map((offset) => view.getUint16(body + offset, true));
      if ((format !== PCM && format !== EXTENSIBLE) || channels !== 1 || bits !== 16) {
        throw bad(`format ${format} with ${channels} channels of ${bits} bits is not read`);
      }
      rate = view.getUint32(body + 4, true);
    } else if (kind === "data") {
      if (rate === undefined) throw bad("the format chunk is missing");
      return { rate, samples: fromPcm(bytes.subarray(body, body + size)) };
    }
    at = body + size + (size % 2);
  }
  throw bad("the data chunk is missing");
}

function fromPcm(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, index) => view.getInt16(index * 2, true) / 32768);
}
