import { isStatic } from "../../ir/graph.ts";
import type { ChannelProbe, ErrorRequest } from "../probe.ts";
import { asFloat32, float, type Writer } from "./writer.ts";

/** Energies of a value, and of what rounding adds to it, behind its reader; undefined where shapes are not known beforehand. */
export function probeErrors(writer: Writer, { value, grids, reader }: ErrorRequest): ChannelProbe | undefined {
  const { add, constant, keep } = writer;
  const type = writer.type(value);
  const made = reader ? writer.type(reader.outputs[0]) : type;
  const [shape, result] = [type?.shape, made?.shape];
  if (!type || !isStatic(shape) || !isStatic(result)) return undefined;
  const real = asFloat32(writer, value, type.dtype, shape);
  // A linear operator's bias has no part in the error.
  const behind = (name: string) =>
    reader ? add(reader.op, [name, reader.inputs[1]], float(result), Object.fromEntries(reader.attrs)) : name;
  const energy = (name: string) => {
    const flat = add("Reshape", [behind(name), constant("int64", [-1])], float([1]));
    const sum = add("ReduceSumSquare", [flat, constant("int64", [0])], float([1]), { keepdims: { i: 1 } });
    return keep(sum, 1);
  };
  const sums = energy(real);
  for (const { dtype, scale, zero } of grids) {
    const [step, offset] = [constant("float32", [scale], []), constant(dtype, [zero], [])];
    const codes = add("QuantizeLinear", [real, step, offset], { dtype, shape });
    const told = add("DequantizeLinear", [codes, step, offset], float(shape));
    energy(add("Sub", [told, real], float(shape)));
  }
  return { sums, channels: grids.length + 1, size: 1, unit: 1, offset: 0 };
}
