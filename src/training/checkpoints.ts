/** A training that survives its process: checkpoints in a folder, two kept, and going on from the newest that is whole. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive, readRegularFile, writeFileAtomic } from "../artifact/file.ts";
import { CompileError } from "../error.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "../train/checkpoint.ts";
import { type StepReport, type TrainOptions, train } from "../train/loop.ts";
import type { Weights } from "../train/step.ts";

export interface Keeping {
  readonly folder: string;
  /** Names the training; going on from another one's checkpoint would be neither. */
  readonly task: string;
  /** Steps from one checkpoint to the next; there is one after the last step, too. */
  readonly every: number;
  /** Go on from the newest checkpoint, or begin where there is none. Without it the folder may have none. */
  readonly resume: boolean;
  readonly warn?: (message: string) => void;
  /** Told once, before the first step: the step that the training begins with. */
  readonly begins?: (step: number) => void;
}

const KEPT = 2;
const NAME = /^step-(\d{9})\.checkpoint$/;
const LEFT_OVER = /^\.step-\d{9}\.checkpoint\.(\d+)\.tmp$/;

const nameOf = (step: number): string => `step-${String(step).padStart(9, "0")}.checkpoint`;

/**
 * As `train`, with checkpoints: after `every` steps, at the end, and when `signal` stops it. Killed at any moment and begun
 * again with `resume`, it arrives at the same bits. A step's report comes before the checkpoint that contains the step. Throws
 * what `train` throws, a divergence with the last good checkpoint; usage/checkpoint, usage/other-training and
 * usage/training-begun for the folder; usage/cannot-write where the disk is full, with the checkpoints before it in place.
 */
export async function* trainKept(options: TrainOptions, keeping: Keeping): AsyncGenerator<StepReport, void, undefined> {
  const { folder, every } = keeping;
  mkdirSync(folder, { recursive: true });
  removeLeftOvers(folder);
  const from = begin(options, keeping);
  keeping.begins?.(from);
  let [next, saved] = [from, from];
  const save = (): void => {
    if (next > saved) saveCheckpoint(folder, checkpointOf(options, keeping.task, next));
    saved = next;
  };
  try {
    for await (const report of train({ ...options, from })) {
      yield report;
      next = report.step + 1;
      if (next % every === 0) save();
    }
    save();
  } catch (error) {
    // Anything else may have ended a step halfway.
    if (options.signal?.aborted && error === options.signal.reason) save();
    throw error instanceof CompileError && error.code === "model/diverged" ? withCheckpoint(error, folder) : error;
  }
}

function checkpointOf({ weights, optimizer, average }: TrainOptions, task: string, step: number): Checkpoint {
  return { task, step, weights, optimizer: optimizer.state(), ...(average && { average: average.weights }) };
}

/** Older ones go once the new one is on the disk, so that a full disk costs none. */
function saveCheckpoint(folder: string, checkpoint: Checkpoint): void {
  writeFileAtomic(join(folder, nameOf(checkpoint.step)), encodeCheckpoint(checkpoint));
  for (const name of checkpointsIn(folder).slice(KEPT)) rmSync(join(folder, name), { force: true });
}

/** The newest first. */
function checkpointsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

/** What a killed process was writing. */
function removeLeftOvers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const owner = Number(LEFT_OVER.exec(name)?.[1] ?? 0);
    if (owner > 0 && !isAlive(owner)) rmSync(join(folder, name), { force: true });
  }
}

/** Puts the newest whole checkpoint into weights, average and optimizer; the step to go on with. */
function begin(options: TrainOptions, { folder, task, resume, warn }: Keeping): number {
  const names = checkpointsIn(folder);
  if (!resume && names.length > 0) {
    throw new CompileError("usage/training-begun", "there is a training in this folder", {
      where: folder,
      remedy: "--resume goes on with it; to begin anew, remove the folder or choose another one",
    });
  }
  let broken: unknown;
  for (const name of names) {
    const path = join(folder, name);
    try {
      const checkpoint = decodeCheckpoint(readRegularFile(path, "checkpoint"), path);
      checkFits(checkpoint, options, task, path);
      restore(checkpoint, options);
      return checkpoint.step;
    } catch (error) {
      if (!(error instanceof CompileError) || error.code === "usage/other-training") throw error;
      broken ??= error;
      warn?.(`${error.message}\n${path}`);
    }
  }
  if (broken !== undefined) throw broken;
  return options.from ?? 0;
}

function checkFits(checkpoint: Checkpoint, options: TrainOptions, task: string, where: string): void {
  if (checkpoint.task !== task) {
    throw new CompileError(
      "usage/other-training",
      "the checkpoint is of another training: model, data or settings differ",
      {
        where,
        remedy: "resume with the recipe as it was, or choose another folder",
      },
    );
  }
  const fits =
    checkpoint.step <= options.steps &&
    haveSameShapes(checkpoint.weights, options.weights) &&
    (checkpoint.average === undefined) === (options.average === undefined) &&
    (checkpoint.average === undefined || haveSameShapes(checkpoint.average, options.weights)) &&
    [...checkpoint.optimizer].every(([name, { length }]) => length === stateLength(name, options.weights));
  if (!fits) throw new CompileError("usage/checkpoint", "the checkpoint does not fit the model", { where });
}

function haveSameShapes(a: Weights, b: Weights): boolean {
  return a.size === b.size && [...a].every(([name, { shape }]) => shape.join() === b.get(name)?.shape.join());
}

/** `KIND/WEIGHT` has a number for each of the weight's, `KIND/` a single one. */
function stateLength(name: string, weights: Weights): number | undefined {
  const weight = name.slice(name.indexOf("/") + 1);
  if (weight === "") return 1;
  return weights.get(weight)?.shape.reduce((product, size) => product * size, 1);
}

function restore(checkpoint: Checkpoint, { weights, optimizer, average }: TrainOptions): void {
  for (const [name, tensor] of checkpoint.weights) weights.set(name, tensor);
  for (const [name, tensor] of checkpoint.average ?? []) average?.weights.set(name, tensor);
  optimizer.restore(checkpoint.optimizer);
}

function withCheckpoint(error: CompileError, folder: string): CompileError {
  const [newest] = checkpointsIn(folder);
  const good =
    newest === undefined ? "there is no checkpoint yet" : `the last good checkpoint is ${join(folder, newest)}`;
  return new CompileError(error.code, error.message, {
    ...(error.where !== undefined && { where: error.where }),
    remedy: `${good}; lower the learning rate, warm up longer, or clip the gradients`,
    cause: error,
  });
}
