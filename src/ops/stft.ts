import { type Dim, elementCount, intAttr, type Node, type RuntimeValue } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import {
  constantIntegers,
  FLOATS,
  INDICES,
  makeType,
  optionalTypeAt,
  reject,
  requireRank,
  typeAt,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, scalarOf, tensorAt } from "./shared/values.ts";

function binsOf(node: Node, frame: number): number {
  return intAttr(node, "onesided", 1) === 1 ? Math.floor(frame / 2) + 1 : frame;
}

function framesOf(node: Node, length: number, frame: number, step: number): number {
  if (frame < 1 || step < 1 || frame > length) reject(node, `frames of ${frame} every ${step} of ${length} samples`);
  return Math.floor((length - frame) / step) + 1;
}

function frameLength(node: Node, inputs: readonly RuntimeValue[]): number {
  const given = optionalTensorAt(node, inputs, 3);
  const window = optionalTensorAt(node, inputs, 2);
  if (given) return scalarOf(node, given);
  return window ? window.shape[0] : reject(node, "there is neither a window nor a frame_length");
}

/** The discrete Fourier transform of each windowed frame of a signal [batch, length, 1 or 2]: [batch, frames, bins, 2]. */
const op: Op = {
  infer(node, inputs, context) {
    const signal = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, signal, 0, 2, 3);
    typeAt(node, inputs, 1, INDICES);
    const window = optionalTypeAt(node, inputs, 2, FLOATS)?.shape?.[0];
    const step = constantIntegers(context, 1)?.[0];
    const frame: Dim | undefined = constantIntegers(context, 3)?.[0] ?? window;
    const length = signal.shape?.[1];
    const bins = typeof frame === "number" ? binsOf(node, frame) : "?";
    const known = typeof frame === "number" && typeof length === "number" && step !== undefined;
    const frames = known ? framesOf(node, length, frame, step) : "?";
    return [makeType(signal.dtype, [signal.shape?.[0] ?? "?", frames, bins, 2])];
  },
  evaluate(node, inputs) {
    const signal = tensorAt(node, inputs, 0);
    const step = scalarOf(node, tensorAt(node, inputs, 1));
    const window = optionalTensorAt(node, inputs, 2);
    const frame = frameLength(node, inputs);
    const [batch, length, parts = 1] = signal.shape;
    const frames = framesOf(node, length, frame, step);
    const bins = binsOf(node, frame);
    if (window && window.shape[0] > frame) reject(node, `a window of ${window.shape[0]} for frames of ${frame}`);
    if (parts === 2 && intAttr(node, "onesided", 1) === 1) reject(node, "a complex signal has no one-sided spectrum");
    const [samples, weights] = [doublesOf(signal), window && doublesOf(window)];
    // A window shorter than the frame stands in its middle.
    const margin = weights ? Math.floor((frame - weights.length) / 2) : 0;
    const weightAt = (at: number) => (weights ? (weights[at - margin] ?? 0) : 1);
    const shape = [batch, frames, bins, 2];
    const result = new Float64Array(elementCount(shape));
    for (let position = 0; position < result.length / 2; position++) {
      const bin = position % bins;
      const start = (Math.floor(position / bins) % frames) * step;
      const signalAt = Math.floor(position / (bins * frames)) * length + start;
      let [real, imaginary] = [0, 0];
      for (let at = 0; at < frame; at++) {
        const angle = (-2 * Math.PI * ((bin * at) % frame)) / frame;
        const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
        const a = samples[(signalAt + at) * parts] * weightAt(at);
        const b = parts === 2 ? samples[(signalAt + at) * parts + 1] * weightAt(at) : 0;
        real += a * cosine - b * sine;
        imaginary += a * sine + b * cosine;
      }
      result.set([real, imaginary], position * 2);
    }
    return [fromDoubles(signal.dtype, shape, result)];
  },
};

export default op;
