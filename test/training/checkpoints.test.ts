import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/ir/random.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/train/checkpoint.ts";
import type { TrainOptions } from "../../src/train/loop.ts";
import { type Keeping, trainKept } from "../../src/training/checkpoints.ts";
import { STEPS, toyTraining } from "./toy.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "training-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const keeping = (more: Partial<Keeping> = {}): Keeping => ({ folder, task: "toy", every: 7, resume: false, ...more });
const newest = (): string => readdirSync(folder).sort().at(-1) ?? "";

async function run(training: TrainOptions, kept: Keeping, until = STEPS): Promise<number[]> {
  const steps: number[] = [];
  for await (const { step } of trainKept(training, kept)) {
    steps.push(step);
    if (step + 1 === until && until < STEPS) break;
  }
  return steps;
}

describe("a checkpoint", () => {
  const checkpoint = {
    ...{ task: "t", step: 3, optimizer: new Map([["momentum/w", Float32Array.of(5, -6)]]) },
    weights: new Map([["w", float32([1, 2], [1.5, -0])]]),
    average: new Map([["w", float32([1, 2], [2, 3])]]),
  };
  const bytes = Buffer.concat(encodeCheckpoint(checkpoint));
  const refused = { code: "usage/checkpoint", where: "f" };

  it("comes back as it was", () => {
    expect(decodeCheckpoint(bytes, "f")).toEqual(checkpoint);
  });

  it("is refused where a byte is missing, changed or added", () => {
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1;
      for (const wrong of [changed, bytes.subarray(0, at)]) {
        expect(() => decodeCheckpoint(wrong, "f")).toThrow(expect.objectContaining(refused));
      }
    }
    expect(() => decodeCheckpoint(Buffer.concat([bytes, Buffer.of(0)]), "f")).toThrow(expect.objectContaining(refused));
  });

  it.each([
    ["sizes beyond the file", { shape: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1] }],
    ["fewer numbers than there are", { shape: [1] }],
    ["negative sizes", { shape: [-1, -2] }],
    ["an unknown group", { shape: [2], group: "others" }],
  ])("is refused with a sound digest and %s", (_, change) => {
    const tensors = [{ group: "weights", name: "w", ...change }];
    const text = Buffer.from(JSON.stringify({ version: 1, task: "t", step: 0, average: false, tensors }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const body = Buffer.concat([Buffer.from("OPTTRAIN"), length, text, Buffer.alloc(8)]);
    const whole = Buffer.concat([body, createHash("sha256").update(body).digest()]);
    expect(() => decodeCheckpoint(whole, "f")).toThrow(expect.objectContaining(refused));
  });

  it("is not made of numbers that are not finite", () => {
    const weights = new Map([["w", float32([1], [Number.POSITIVE_INFINITY])]]);
    expect(() => encodeCheckpoint({ ...checkpoint, weights })).toThrow(
      expect.objectContaining({ code: "model/diverged", where: "step 3, weight w" }),
    );
  });
});

describe("a training that is kept", () => {
  let training: Awaited<ReturnType<typeof toyTraining>>;
  beforeEach(async () => {
    training = await toyTraining();
  });
  afterEach(() => training.release());

  it("keeps two checkpoints, and is not begun twice in a folder", async () => {
    await run(training, keeping());
    expect(readdirSync(folder).sort()).toEqual(["step-000000035.checkpoint", "step-000000040.checkpoint"]);
    await expect(run(training, keeping())).rejects.toMatchObject({ code: "usage/training-begun" });
    expect(await run(training, keeping({ resume: true }))).toEqual([]);
  });

  it("goes on from the one before, where the newest is damaged, and arrives at the same", async () => {
    await run(training, keeping());
    const whole = readFileSync(join(folder, newest()));
    writeFileSync(join(folder, newest()), whole.subarray(0, 1000));
    const warnings: string[] = [];
    const again = await toyTraining();
    const steps = await run(again, keeping({ resume: true, warn: (text) => warnings.push(text) }));
    await again.release();
    expect([steps[0], warnings.length]).toEqual([35, 1]);
    expect(again.weights).toEqual(training.weights);
    expect(again.average).toEqual(training.average);
    expect(readFileSync(join(folder, newest()))).toEqual(whole);
  });

  it("does not go on with another training's", async () => {
    await run(training, keeping(), 30);
    await expect(run(training, keeping({ resume: true, task: "other" }))).rejects.toMatchObject({
      code: "usage/other-training",
    });
  });

  it("saves what it has when it is stopped", async () => {
    const controller = new AbortController();
    const stopped = (async () => {
      for await (const { step } of trainKept({ ...training, signal: controller.signal }, keeping())) {
        if (step === 9) controller.abort();
      }
    })();
    await expect(stopped).rejects.toThrow(/abort/);
    expect(newest()).toBe("step-000000010.checkpoint");
  });

  it("writes none where it is stopped in a step that fails halfway", async () => {
    const controller = new AbortController();
    const { optimizer } = training;
    let left = 10;
    const failing: TrainOptions["optimizer"] = {
      ...optimizer,
      async update(weights, gradients, ...more) {
        await optimizer.update(weights, new Map([...gradients].slice(--left === 0 ? 1 : 0)), ...more);
        if (left > 0) return;
        controller.abort();
        throw new Error("a worker is gone");
      },
    };
    const stopped = run({ ...training, optimizer: failing, signal: controller.signal }, keeping());
    await expect(stopped).rejects.toThrow("a worker is gone");
    expect(newest()).toBe("step-000000007.checkpoint");
  });

  it("names the last good checkpoint where it diverges", async () => {
    const batch = async (at: number) => {
      const feeds = new Map(await training.batch(at));
      return at < 16 ? feeds : feeds.set("x", float32([8, 4], new Float32Array(32).fill(Number.NaN)));
    };
    await expect(run({ ...training, batch }, keeping())).rejects.toMatchObject({
      code: "model/diverged",
      where: expect.stringMatching(/^step 16, weight .*: first in what "x" is fed$/),
      remedy: expect.stringContaining(`the last good checkpoint is ${join(folder, "step-000000014.checkpoint")}`),
    });
  });

  it("loses no checkpoint where the next cannot be written", async () => {
    await run(training, keeping(), 17);
    const before = readdirSync(folder).sort();
    // A name that no file can be renamed to stands in for a disk that takes nothing more.
    const full = join(folder, "step-000000021.checkpoint");
    const begins = (): string | undefined => mkdirSync(join(full, "of something"), { recursive: true });
    const failing = run(training, keeping({ resume: true, begins }));
    await expect(failing).rejects.toMatchObject({ code: "usage/cannot-write", where: full });
    expect(readdirSync(folder).sort().slice(0, 2)).toEqual(before);
  });
});

describe("a training that is killed", () => {
  it("arrives at the same bytes, however often and whenever", async () => {
    const training = await toyTraining();
    await run(training, keeping({ folder: join(folder, "whole"), every: 2 }));
    await training.release();
    const random = seededRandom("moments");
    const program = resolve(import.meta.dirname, "toy-process.ts");
    const killed = join(folder, "killed");
    let kills = 0;
    for (let until = 5; ; until += 15) {
      const child = spawn(process.execPath, [program, killed], { stdio: ["ignore", "pipe", "inherit"] });
      const closed = once(child, "close");
      for await (const line of createInterface(child.stdout)) {
        if (Number(line) !== until) continue;
        // Somewhere in a step, or while a checkpoint is written.
        setTimeout(() => child.kill("SIGKILL"), 6 * random());
      }
      const [code, signal] = await closed;
      if (signal !== "SIGKILL") {
        expect(code).toBe(0);
        break;
      }
      kills++;
    }
    expect(kills).toBeGreaterThan(1);
    const last = "step-000000040.checkpoint";
    expect(readFileSync(join(killed, last))).toEqual(readFileSync(join(folder, "whole", last)));
    expect(readdirSync(killed).length).toBe(2);
  });
});
