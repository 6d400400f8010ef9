/** `toy-process.ts FOLDER`: trains in a process that a test may kill, one line a step, a checkpoint every second one. */
import { writeSync } from "node:fs";
import { trainKept } from "../../src/training/checkpoints.ts";
import { toyTraining } from "./toy.ts";

const training = await toyTraining();
const keeping = { folder: process.argv[2], task: "toy", every: 2, resume: true };
for await (const { step } of trainKept(training, keeping)) writeSync(1, `${step}\n`);
process.exit(0);
