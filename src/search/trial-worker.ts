import type { SetUp } from "../run/pool.ts";
import { openTrials, type TrialBench, type TrialResult } from "./trial.ts";

/** One thread of a search: tries model after model on the samples that it was given once. */
export const setUp: SetUp<TrialBench, Uint8Array, TrialResult> = (bench) => openTrials(bench);
