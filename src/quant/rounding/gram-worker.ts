import type { SetUp } from "../../run/pool.ts";
import type { ObserveTask } from "../observe.ts";
import { type GramInit, type LayerStatistics, openGrams } from "./gram.ts";

export const setUp: SetUp<GramInit, ObserveTask, LayerStatistics[]> = async (init) => {
  const work = await openGrams(init);
  return (task) => work.run(task);
};
