import type { SetUp } from "../../run/pool.ts";
import { type GramInit, type GramTask, type LayerStatistics, openGrams } from "./gram.ts";

export const setUp: SetUp<GramInit, GramTask, LayerStatistics[]> = async (init) => {
  const work = await openGrams(init);
  return (task) => work.run(task);
};
