import { type Attr, attrs, type DType, type Node, type Tensor, type TypedArray } from "../../ir/graph.ts";
import { allocate, bytesOf, makeTensor } from "../../ir/tensor.ts";

/** ONNX's numbers for the element types that the export uses (TensorProto.DataType). */
const CODES_OF_TYPES: Readonly<Partial<Record<DType, number>>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/** Standard nodes under construction; the names of values stay those of the integer graph. */
export interface Emitter {
  /** Adds a node of ONNX's own domain and returns its output's name: `output`, or a fresh one. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attr | undefined>>,
    output?: string,
  ): string;
  cast(value: string, to: DType, output?: string): string;
  /** A constant; equal ones share a name. */
  constant(tensor: Tensor): string;
  int64(values: readonly (number | bigint)[], shape?: readonly number[]): string;
  /** A scalar of any type. */
  scalar(dtype: DType, value: number | bigint): string;
}

/** One `npu` node and what is known of its values. */
export interface Said extends Emitter {
  readonly node: Node;
  /** Name, storage type and shape of input `index`. */
  input(index: number): Value;
  /** The type of input `index`; unlike `input` it puts no constant into the export. */
  typeOf(index: number): Pick<Value, "dtype" | "shape">;
  has(index: number): boolean;
  /** Input `index` where it is a constant. */
  tensor(index: number): Tensor | undefined;
  /** The integers of an input that must be constant. */
  integers(index: number): readonly number[];
  readonly output: Value;
}

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface Collected {
  readonly nodes: Node[];
  readonly constants: Map<string, Tensor>;
}

/** An emitter into `collected`; fresh names avoid `taken` and are added to it. `origin` gives the current node's. */
export function makeEmitter(collected: Collected, taken: Set<string>, origin: () => readonly string[]): Emitter {
  const known = new Map<string, string>();
  let count = 0;
  const fresh = (hint: string): string => {
    for (;;) {
      const name = `${hint}_${count++}`;
      if (!taken.has(name)) {
        taken.add(name);
        return name;
      }
    }
  };
  const emitter: Emitter = {
    emit(op, inputs, attributes = {}, output = fresh(op)) {
      collected.nodes.push({ op, domain: "", inputs, outputs: [output], attrs: attrs(attributes), origin: origin() });
      return output;
    },
    cast(value, to, output) {
      return emitter.emit("Cast", [value], { to: { i: CODES_OF_TYPES[to] as number } }, output);
    },
    constant(tensor) {
      const key = `${tensor.dtype} ${tensor.shape} ${Buffer.from(bytesOf(tensor)).toString("latin1")}`;
      let name = known.get(key);
      if (name === undefined) {
        name = fresh("constant");
        known.set(key, name);
        collected.constants.set(name, makeTensor(tensor.dtype, tensor.shape, tensor.data as TypedArray));
      }
      return name;
    },
    int64(values, shape = [values.length]) {
      return emitter.constant({ dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) });
    },
    scalar(dtype, value) {
      const data = allocate(dtype, 1) as { [index: number]: number | bigint };
      data[0] = data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value) : Number(value);
      return emitter.constant({ dtype, shape: [], data: data as TypedArray });
    },
  };
  return emitter;
}

/** A value as int64 minus an integer. */
export function centred(said: Said, value: string, zero: number): string {
  const wide = said.cast(value, "int64");
  return zero === 0 ? wide : said.emit("Sub", [wide, said.scalar("int64", zero)]);
}

/** Extremes of an integer constant's magnitude. */
export function largestMagnitude(values: ArrayLike<number>): number {
  let most = 0;
  for (let index = 0; index < values.length; index++) most = Math.max(most, Math.abs(values[index]));
  return most;
}

/** A constant's elements laid along axis `axis` of `rank` axes, for broadcasting; a single one stays a scalar. */
export function alongAxis(values: readonly (number | bigint)[], axis: number, rank: number): readonly number[] {
  if (values.length === 1) return [];
  return Array.from({ length: rank }, (_, at) => (at === axis ? values.length : 1));
}
