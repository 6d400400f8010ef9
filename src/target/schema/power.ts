/** Watts of the board, and energy by event. */
import { z } from "zod";
import { nonNegative, positive, range } from "./figure.ts";

export const powerSchema = z.strictObject({ boardWatts: positive(), idleWatts: nonNegative() });

/** Picojoules an event; leakage in watts. */
export const energySchema = z.strictObject({
  macInt8: range(),
  vectorOperation: range(),
  sramByte: range(),
  dramByte: range(),
  leakageWatts: range(),
});
