/** Voltages by the curve of the description. */
import type { Target } from "../target/schema.ts";

/** The least voltage for a clock, on the curve's line between its points; flat below the slowest one. */
function volts(curve: NonNullable<Target["power"]["curve"]>, GHz: number): number {
  const above = curve.findIndex((point) => point.GHz >= GHz);
  if (above === 0) return curve[0].volts;
  if (above < 0) return curve[curve.length - 1].volts;
  const [low, high] = [curve[above - 1], curve[above]];
  return low.volts + ((GHz - low.GHz) / (high.GHz - low.GHz)) * (high.volts - low.volts);
}

/** The voltage at the target's clock over the one that its energies are told for. */
export function voltageFactor({ power, clockGHz }: Target): number {
  const { curve } = power;
  return curve === undefined ? 1 : volts(curve, clockGHz) / curve[curve.length - 1].volts;
}
