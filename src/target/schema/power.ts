/** Watts of the board, and energy by event. */
import { z } from "zod";
import { figure, nonNegative, positive, range } from "./figure.ts";

export const powerSchema = z.strictObject({
  /** Of the board with all its SoCs: the most that it may draw, and what it draws without work, leakage included. */
  boardWatts: positive(),
  idleWatts: nonNegative(),
  /** With all computers of the car that are awake beside it. Absent: not known. */
  vehicleWatts: nonNegative().optional(),
  /** The least voltage for a clock, slowest first; energies hold at the last one. Absent: the clock cannot be lowered. */
  curve: figure(z.array(z.strictObject({ GHz: z.number().positive(), volts: z.number().positive() })).min(2))
    .refine(
      ({ value }) =>
        value.every(({ GHz, volts }, at) => at === 0 || (GHz > value[at - 1].GHz && volts >= value[at - 1].volts)),
      {
        message: "faster clocks come later and need no less voltage",
      },
    )
    .optional(),
});

/** Picojoules an event at the fastest clock; leakage in watts an NPU. */
export const energySchema = z.strictObject({
  macInt8: range(),
  /** A product of 16-bit operands. Absent: `array.int16Passes` of 8 bits. */
  macInt16: range().optional(),
  /** A product with a weight of 4 bits. Absent: as with 8 bits, since that is what the array multiplies. */
  macInt4: range().optional(),
  vectorOperation: range(),
  sramByte: range(),
  dramByte: range(),
  leakageWatts: range(),
});
