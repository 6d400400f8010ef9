import { Piscina } from "piscina";
import type { Session } from "../run/ort.ts";
import { answering } from "../run/pool.ts";
import { type ObserveInit, type ObserveTask, observeTask, openObserver } from "./observe.ts";

/** A calibration worker: one session, opened with its first task. */
const init = Piscina.workerData as ObserveInit;
let session: Promise<Session> | undefined;

export default answering(async (task: ObserveTask) => {
  session ??= openObserver(init);
  return observeTask(await session, init, task);
});
