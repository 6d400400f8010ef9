import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Dataset, openDataset } from "../../../src/data/dataset.ts";
import { parseWav } from "../../../src/data/wav.ts";
import { CompileError } from "../../../src/error.ts";

const folder = mkdtempSync(join(tmpdir(), "speech-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function wav(samples: readonly number[], { rate = 16_000, channels = 1, bits = 16, format = 1 } = {}): Buffer {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write("RIFF....WAVEfmt ", "latin1");
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(format, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt16LE(bits, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((value, at) => {
    bytes.writeInt16LE(value, 44 + at * 2);
  });
  return bytes;
}

/** Two frames of quiet, three of a loud tone, one of quiet, one loud. */
const tone = Array.from({ length: 7 * 512 }, (_, at) => {
  const loud = [2, 3, 4, 6].includes(Math.floor(at / 512));
  return Math.round((loud ? 10_000 : 1) * Math.sin(at));
});
writeFileSync(join(folder, "a.wav"), wav(tone));
writeFileSync(join(folder, "b.raw"), wav(tone).subarray(44));

const open = (options: object = {}): Promise<Dataset> =>
  openDataset(
    { reader: "speech-frames", folder, clips: ["*.wav", "*.raw"], silence: 0.032, bridge: 0, ...options },
    "/",
  );
const labelOf = async (dataset: Dataset, index: number): Promise<number> => {
  const { target } = await dataset.read(index);
  if (target === undefined || typeof target === "string") throw new Error("a label is a number");
  return Number(target.data[0]);
};

describe("speech-frames", () => {
  it("streams each clip at each level, with silence around it, labelled by the clean energy", async () => {
    const dataset = await open({ snr: [20, 0] });
    expect(dataset.length).toBe(2 * 2 * 9);
    expect(dataset.sequences?.map(({ name, start, length }) => [name, start, length])).toEqual([
      ["a.wav 20 dB white #0", 0, 9],
      ["a.wav 0 dB pink #0", 9, 9],
      ["b.raw 20 dB white #0", 18, 9],
      ["b.raw 0 dB pink #0", 27, 9],
    ]);
    const labels = await Promise.all(Array.from({ length: 9 }, (_, step) => labelOf(dataset, step)));
    expect(labels).toEqual([0, 0, 0, 1, 1, 1, 0, 1, 0]);
    expect((await dataset.read(10)).group).toBe("a.wav");
    expect((await dataset.read(10)).sequence).toBe("a.wav 0 dB pink #0");
    expect([...(await dataset.read(10)).slices]).toEqual([
      ["snr", "0"],
      ["noise", "pink"],
    ]);
  });

  it("bridges short pauses", async () => {
    const dataset = await open({ bridge: 1 });
    const labels = await Promise.all(Array.from({ length: 9 }, (_, step) => labelOf(dataset, step)));
    expect(labels).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 0]);
  });

  it("puts the last samples of the step before in front of the new ones; zeros at the start", async () => {
    const dataset = await open({ context: 64 });
    const frame = async (index: number) => [...(await dataset.read(index)).inputs.get("input")!.data].map(Number);
    const [first, second] = [await frame(0), await frame(1)];
    expect(first).toHaveLength(576);
    expect(first.slice(0, 64)).toEqual(new Array(64).fill(0));
    expect(second.slice(0, 64)).toEqual(first.slice(-64));
    expect(await frame(9).then((start) => start.slice(0, 64))).toEqual(new Array(64).fill(0));
  });

  it("adds noise as strong as asked for, new with each repeat, the same with the same seed", async () => {
    const dataset = await open({ snr: [0], noises: ["white"], repeats: 2, clips: ["a.wav"] });
    const clean = tone.map((value) => value / 32768);
    let [noise, speech, count] = [0, 0, 0];
    for (const step of [3, 4, 5]) {
      const data = (await dataset.read(step)).inputs.get("input")!.data;
      for (let at = 0; at < 512; at++) {
        const wanted = clean[(step - 1) * 512 + at];
        noise += (Number(data[64 + at]) - wanted) ** 2;
        speech += wanted ** 2;
        count++;
      }
    }
    expect(10 * Math.log10(speech / noise)).toBeCloseTo(0, 0);
    expect(count).toBe(1536);
    expect((await dataset.read(3)).hash).not.toBe((await dataset.read(12)).hash);
    const again = await open({ snr: [0], noises: ["white"], repeats: 2, clips: ["a.wav"] });
    expect((await again.read(12)).hash).toBe((await dataset.read(12)).hash);
  });

  it("says what to install where the recordings are missing, and refuses another rate", async () => {
    await expect(open({ folder: "/nowhere" })).rejects.toMatchObject({
      code: "usage/missing-package",
      remedy: expect.stringContaining("apt-get install pocketsphinx-testdata"),
    });
    await expect(open({ rate: 8000, clips: ["*.wav"] })).rejects.toMatchObject({ code: "usage/bad-wav" });
    await expect(open({ clips: ["*.flac"] })).rejects.toMatchObject({ code: "usage/empty-data" });
  });
});

describe("parseWav", () => {
  it("reads 16-bit samples, whatever chunks lie between", () => {
    const plain = wav([0, 16384, -32768]);
    const extra = Buffer.from("LIST\x03\x00\x00\x00abc\x00", "latin1");
    const bytes = Buffer.concat([plain.subarray(0, 36), extra, plain.subarray(36)]);
    expect(parseWav(bytes, "x")).toEqual({ rate: 16_000, samples: Float32Array.of(0, 0.5, -1) });
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("RIFF of course this is not one")],
    ["two channels", wav([1, 2], { channels: 2 })],
    ["8 bits", wav([1, 2], { bits: 8 })],
    ["floats", wav([1, 2], { format: 3 })],
    ["a chunk that ends early", wav([1, 2, 3]).subarray(0, 46)],
    ["no data", wav([]).subarray(0, 36)],
  ])("refuses %s", (_, bytes) => {
    expect(() => parseWav(bytes, "x.wav")).toThrow(CompileError);
  });
});
