import * as ort from "onnxruntime-node";
import { bug, CompileError } from "../error.ts";
import type { DType, Tensor, TypedArray } from "../ir/graph.ts";
import { elementCount } from "../ir/graph.ts";
import { free, valuesOf, viewBytes } from "../ir/tensor.ts";

export interface SessionOptions {
  /** Threads inside an operator; 1 keeps the order of additions, and so the numbers, fixed. */
  readonly threads?: number;
  /** Keeps QuantizeLinear and DequantizeLinear as they stand: ONNX Runtime's fused kernels round differently on ties. */
  readonly disableQdqFusion?: boolean;
  /**
   * true (the default): from the second run on, one block of memory is laid out for a whole run. It comes on top of what the first
   * run took piece by piece: without, a training step or a graph with many outputs takes a fifth to a third less.
   */
  readonly memoryPattern?: boolean;
  /** true (the default): constant operands are laid out anew for the products that read them, once each. A copy for each of them. */
  readonly prepack?: boolean;
  /** ONNX Runtime's own graph optimizations. */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
}

/** A value of a model's border as ONNX Runtime tells it. Symbolic dimensions are their names, nameless ones "?". */
export interface SessionValue {
  readonly name: string;
  readonly dtype?: DType;
  readonly shape?: readonly (number | string)[];
}

export interface Session {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  /**
   * Runs once. All outputs, or those named in `fetches`. What `into` names, float32 all of it, comes to lie in the arrays there
   * (shared between threads or not) instead of new ones.
   */
  run(
    feeds: ReadonlyMap<string, Tensor>,
    fetches?: readonly string[],
    into?: ReadonlyMap<string, Float32Array>,
  ): Promise<Map<string, Tensor>>;
  /** Frees the native memory. The session cannot run after it. */
  release(): Promise<void>;
}

const NOWHERE: ReadonlyMap<string, Float32Array> = new Map();

/** ONNX Runtime's names where they differ from ours (packed and 8-bit float types it cannot pass through JavaScript). */
const ORT_NAMES = new Map<DType, ort.Tensor.Type>([
  ["float32", "float32"],
  ["float64", "float64"],
  ["float16", "float16"],
  ["int8", "int8"],
  ["uint8", "uint8"],
  ["int16", "int16"],
  ["uint16", "uint16"],
  ["int32", "int32"],
  ["uint32", "uint32"],
  ["int64", "int64"],
  ["uint64", "uint64"],
  ["bool", "bool"],
  ["string", "string"],
  ["int4", "int4"],
  ["uint4", "uint4"],
]);
const OUR_NAMES = new Map([...ORT_NAMES].map(([dtype, name]) => [name, dtype]));

/**
 * Loads a model into ONNX Runtime on the CPU: one thread, no QDQ fusion, unless asked otherwise.
 * Throws `model/onnxruntime` with the runtime's own words where it refuses the model.
 */
export async function createSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
  const { threads = 1, disableQdqFusion = true, optimization = "all", memoryPattern = true, prepack = true } = options;
  const native: ort.InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: memoryPattern,
    graphOptimizationLevel: optimization,
    logSeverityLevel: 4,
    extra: {
      session: {
        // Otherwise a product with int4 weights is one of int4 and int8: activations would be rounded that the model does not round.
        qdq_matmulnbits_accuracy_level: "1",
        ...(!prepack && { disable_prepacking: "1" }),
        ...(disableQdqFusion && { disable_quant_qdq: "1" }),
      },
    },
  };
  let session: ort.InferenceSession;
  try {
    // Two calls, because the binding's overloads take one type each.
    session =
      typeof model === "string"
        ? await ort.InferenceSession.create(model, native)
        : await ort.InferenceSession.create(model, native);
  } catch (error) {
    throw new CompileError("model/onnxruntime", `ONNX Runtime refuses the model: ${firstLine(error)}`, {
      cause: error,
    });
  }
  return {
    inputs: session.inputMetadata.map(describe),
    outputs: session.outputMetadata.map(describe),
    async run(feeds, fetches = session.outputNames, into = NOWHERE) {
      const given: Record<string, ort.Tensor> = {};
      for (const [name, tensor] of feeds) given[name] = toOrt(tensor);
      let results: ort.InferenceSession.ReturnType;
      try {
        results = await session.run(given, [...fetches]);
      } catch (error) {
        throw new CompileError("model/onnxruntime", `ONNX Runtime cannot run the model: ${firstLine(error)}`, {
          cause: error,
        });
      }
      const outputs = new Map<string, Tensor>();
      for (const [name, value] of Object.entries(results)) {
        outputs.set(name, fromOrt(value as ort.Tensor, into.get(name)));
        (value as ort.Tensor).dispose();
      }
      return outputs;
    },
    release: () => session.release(),
  };
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0];
}

function describe(value: ort.InferenceSession.ValueMetadata): SessionValue {
  if (!value.isTensor) return { name: value.name };
  const dtype = OUR_NAMES.get(value.type);
  const shape = value.shape.map((dim) => (dim === "" ? "?" : dim));
  return dtype ? { name: value.name, dtype, shape } : { name: value.name, shape };
}

/** Our tensor as ONNX Runtime's; memory that threads share is copied, since the binding takes none. `bug` for types that it cannot take from JavaScript. */
export function toOrt(tensor: Tensor): ort.Tensor {
  const type = ORT_NAMES.get(tensor.dtype) ?? bug(`ONNX Runtime takes no ${tensor.dtype} tensors from JavaScript`);
  if (tensor.dtype === "string") return new ort.Tensor("string", [...(tensor.data as readonly string[])], tensor.shape);
  const given = valuesOf(tensor);
  const values = given.buffer instanceof SharedArrayBuffer ? given.slice() : given;
  if (tensor.dtype !== "float16") return new ort.Tensor(type as "float32", values as Float32Array, tensor.shape);
  // The class wants a Float16Array where JavaScript has one, but the binding cannot read it: the bits go under another name.
  const bits = new ort.Tensor("uint16", values as Uint16Array, tensor.shape);
  return Object.defineProperty(bits, "type", { value: type });
}

/**
 * ONNX Runtime's tensor as ours, in memory of its own or in `into`. What the binding made of it is freed at once, and not when memory
 * is next swept: the next run then writes where the cache and the page table know the way. The tensor is of no use after it.
 */
export function fromOrt(value: ort.Tensor, into?: Float32Array): Tensor {
  const dtype = OUR_NAMES.get(value.type) ?? bug(`ONNX Runtime gave a ${value.type} tensor`);
  const shape = [...value.dims];
  if (dtype === "string") return { dtype, shape, data: [...(value.data as string[])] };
  const raw = value.data as TypedArray;
  if (into === undefined) {
    const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength).slice();
    free(raw);
    return { dtype, shape, data: viewBytes(dtype, elementCount(shape), bytes) };
  }
  if (dtype !== "float32" || elementCount(shape) !== into.length)
    bug(`${dtype} [${shape}] into ${into.length} numbers`);
  into.set(raw as Float32Array);
  free(raw);
  return { dtype, shape, data: into };
}
