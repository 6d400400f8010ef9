import { existsSync, globSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { z } from "zod";
import { CompileError } from "../../error.ts";
import { type DataArray, type Dataset, makeSample, type Reader, type SequenceRange } from "../dataset.ts";
import { normal, seedOf, splitMix } from "../random.ts";
import { groupHash, SPLITS, splitOf } from "../split.ts";
import { readSound } from "../wav.ts";

const options = z.strictObject({
  input: z.string().default("input").describe("the model's input"),
  folder: z
    .string()
    .optional()
    .describe("where the recordings are; by default those of Debian's pocketsphinx-testdata"),
  clips: z
    .array(z.string())
    .min(1)
    .default(["**/*.wav"])
    .describe("patterns below the folder; .wav, or .raw at `rate`"),
  split: z.enum(SPLITS).optional().describe("only clips whose hash falls into this split"),
  rate: z.int().min(1000).max(192_000).default(16_000).describe("samples a second"),
  frame: z.int().min(1).max(65_536).default(512).describe("new samples a step"),
  context: z.int().min(0).max(65_536).default(64).describe("samples of the step before, put in front"),
  snr: z.array(z.number().min(-40).max(100)).min(1).default([20, 5, 0]).describe("decibels of speech over noise"),
  noises: z
    .array(z.enum(["white", "pink"]))
    .min(1)
    .default(["white", "pink"]),
  repeats: z.int().min(1).max(10_000).default(1).describe("how often each clip is mixed with new noise"),
  silence: z.number().min(0).max(60).default(1).describe("seconds of noise alone before and after a clip"),
  threshold: z.number().max(0).default(-25).describe("decibels under the loudest frame from which a frame is speech"),
  bridge: z.int().min(0).default(4).describe("frames of pause between speech that still count as speech"),
  seed: z.int().min(0).default(0),
});
type Options = z.infer<typeof options>;

const VARIABLE = "OPTIMUS_SPEECH_DATA";
const DEBIAN = "/usr/share/pocketsphinx/test/data";

function rootOf(given: Options, folder: string): string {
  const root = given.folder === undefined ? (process.env[VARIABLE] ?? DEBIAN) : resolve(folder, given.folder);
  if (existsSync(root)) return root;
  throw new CompileError("usage/missing-package", "the speech recordings are not installed", {
    where: root,
    remedy: `apt-get install pocketsphinx-testdata, or set ${VARIABLE} to a folder of recordings`,
  });
}

/** Names below the root, sorted, with `/` whatever the system. */
function findClips(given: Options, root: string): string[] {
  const names = given.clips.flatMap((pattern) => globSync(pattern, { cwd: root }));
  const unique = [...new Set(names.map((name) => name.split(sep).join("/")))].sort();
  return unique.filter((name) => given.split === undefined || splitOf(groupHash(name)) === given.split);
}

/** One clip, one noise, one level, one draw: what a state runs through. */
interface Sequence extends SequenceRange {
  readonly clip: string;
  readonly snr: number;
  readonly noise: "white" | "pink";
}

interface Mixed {
  readonly name: string;
  /** Speech with noise, in frames; `context` zeros in front. */
  readonly samples: Float32Array;
  /** Whether each frame of the clean clip is speech. */
  readonly labels: readonly boolean[];
}

/** The clip with silence around it, cut to whole frames. */
function padded(given: Options, clean: Float32Array): Float32Array {
  const quiet = Math.round(given.silence * given.rate);
  const frames = Math.floor((clean.length + 2 * quiet) / given.frame);
  const out = new Float32Array(frames * given.frame);
  out.set(clean.subarray(0, Math.max(0, out.length - quiet)), Math.min(quiet, out.length));
  return out;
}

/** Mean squares of whole frames. */
function energies(samples: Float32Array, frame: number): Float64Array {
  const out = new Float64Array(Math.floor(samples.length / frame));
  for (let at = 0; at < out.length * frame; at++) out[Math.floor(at / frame)] += samples[at] ** 2 / frame;
  return out;
}

/** White noise, or pink by Kellet's three-pole filter, both near unit power. */
function makeNoise(kind: "white" | "pink", length: number, random: () => number): Float32Array {
  const out = new Float32Array(length);
  let [a, b, c] = [0, 0, 0];
  for (let at = 0; at < length; at++) {
    const white = normal(random);
    a = 0.99765 * a + white * 0.099046;
    b = 0.963 * b + white * 0.2965164;
    c = 0.57 * c + white * 1.0526913;
    out[at] = kind === "white" ? white : a + b + c + white * 0.1848;
  }
  const power = out.reduce((sum, value) => sum + value * value, 0) / length;
  return out.map((value) => value / Math.sqrt(power));
}

/** Fills gaps of at most `most` frames between two that are set: a stop consonant is no pause. */
function bridged(loud: readonly boolean[], most: number): boolean[] {
  const out = [...loud];
  let last = Number.NEGATIVE_INFINITY;
  loud.forEach((speech, frame) => {
    if (!speech) return;
    if (frame - last - 1 <= most) out.fill(true, last + 1, frame);
    last = frame;
  });
  return out;
}

function mix(given: Options, sequence: Sequence, clean: Float32Array): Mixed {
  const speech = padded(given, clean);
  const energy = energies(speech, given.frame);
  const loudest = energy.reduce((most, value) => Math.max(most, value), 0);
  const least = loudest * 10 ** (given.threshold / 10);
  const loud = Array.from(energy, (value) => value > least);
  const labels = bridged(loud, given.bridge);
  const active = energy.filter((_, frame) => loud[frame]);
  const level = active.reduce((sum, value) => sum + value, 0) / Math.max(1, active.length);
  const gain = Math.sqrt(level / 10 ** (sequence.snr / 10));
  const noise = makeNoise(sequence.noise, speech.length, splitMix(seedOf(given.seed, sequence.name)));
  const samples = new Float32Array(given.context + speech.length);
  for (let at = 0; at < speech.length; at++) {
    samples[given.context + at] = Math.min(1, Math.max(-1, speech[at] + gain * noise[at]));
  }
  return { name: sequence.name, samples, labels };
}

function lay(given: Options, lengths: ReadonlyMap<string, number>): Sequence[] {
  const sequences: Sequence[] = [];
  let start = 0;
  for (let repeat = 0; repeat < given.repeats; repeat++) {
    for (const [clip, length] of lengths) {
      for (const snr of given.snr) {
        const noise = given.noises[sequences.length % given.noises.length];
        sequences.push({ name: `${clip} ${snr} dB ${noise} #${repeat}`, clip, snr, noise, start, length });
        start += length;
      }
    }
  }
  return sequences;
}

async function open(given: Options, folder: string): Promise<Dataset> {
  const root = rootOf(given, folder);
  const clips = findClips(given, root);
  const soundOf = (clip: string): Float32Array => readSound(join(root, clip), given.rate).samples;
  const lengths = new Map(clips.map((clip) => [clip, padded(given, soundOf(clip)).length / given.frame]));
  const sequences = lay(given, lengths);
  const last = sequences.at(-1);
  const length = last === undefined ? 0 : last.start + last.length;
  const shape = [1, given.context + given.frame];
  let mixed: Mixed | undefined;
  return {
    length,
    sequences,
    async read(index) {
      const sequence = sequenceAt(sequences, index);
      if (mixed?.name !== sequence.name) mixed = mix(given, sequence, soundOf(sequence.clip));
      const step = index - sequence.start;
      const start = step * given.frame;
      const data = mixed.samples.slice(start, start + given.context + given.frame);
      const target: DataArray = { dtype: "int64", shape: [1], data: BigInt64Array.of(mixed.labels[step] ? 1n : 0n) };
      return makeSample({
        id: `${sequence.name} @${step}`,
        group: sequence.clip,
        sequence: sequence.name,
        slices: new Map([
          ["snr", String(sequence.snr)],
          ["noise", sequence.noise],
        ]),
        inputs: new Map([[given.input, { dtype: "float32", shape, data }]]),
        target,
      });
    },
    describe: () => ({
      reader: "speech-frames",
      length,
      inputs: [{ name: given.input, dtype: "float32", shape }],
      source: `${clips.length} recordings in ${root}`,
    }),
    close() {},
  };
}

/** The sequence that holds a step, by bisection. */
function sequenceAt(sequences: readonly Sequence[], index: number): Sequence {
  let [low, high] = [0, sequences.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sequences[middle].start <= index) low = middle;
    else high = middle - 1;
  }
  return sequences[low];
}

const reader: Reader<Options> = {
  summary:
    "Recordings of speech mixed with noise, cut into the steps of a streamed model; labels from the clean energy.",
  options,
  open,
};
export default reader;
