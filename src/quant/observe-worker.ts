import type { SetUp } from "../run/pool.ts";
import { type Observation, type ObserveInit, type ObserveTask, observeTask, openObserver } from "./observe.ts";

/** A calibration worker: one session for all its tasks. */
export const setUp: SetUp<ObserveInit, ObserveTask, Observation> = async (init) => {
  const session = await openObserver(init);
  return (task) => observeTask(session, init, task);
};
