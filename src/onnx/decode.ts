import { CompileError } from "../error.ts";
import { type Bytes, FIELDS, type Field, type Message, type MessageName } from "./schema.ts";
import { malformed, Reader, type Source, WIRE } from "./wire.ts";

/** What a file may ask for. Protobuf's own limit for nesting is 100. */
export interface Budget {
  readonly depth: number;
  /** Messages, texts and numbers outside of tensors' data: what costs memory beyond the file's own bytes. */
  readonly items: number;
  /** Bytes of unknown fields, which are kept in memory. */
  readonly unknownBytes: number;
}

export const BUDGET: Budget = { depth: 100, items: 4_000_000, unknownBytes: 64 * 2 ** 20 };

type Values = Record<string, unknown>;

/** Decodes a whole source as one message. Throws `model/malformed` or `model/budget`. */
export function decode<K extends MessageName>(name: K, source: Source, budget: Budget = BUDGET): Message<K> {
  const reader = new Reader(source);
  let items = budget.items;
  let unknownBytes = budget.unknownBytes;

  function spend(count: number): void {
    items -= count;
    if (items < 0) {
      throw new CompileError("model/budget", `the model has more than ${budget.items} protobuf fields`, {
        where: `byte ${reader.position}`,
        remedy: "this is not a model that a neural network exporter writes; simplify it before import",
      });
    }
  }

  function message(type: MessageName, end: number, depth: number): Values {
    if (depth > budget.depth) throw malformed(`messages nest deeper than ${budget.depth}`, reader.position);
    const fields = FIELDS.get(type) as ReadonlyMap<number, Field>;
    // No prototype: field names come from our table, but nothing here shall ever see a file's `__proto__`.
    const values: Values = {};
    while (reader.position < end) {
      const { id, wire, start } = reader.tag(end);
      const field = fields.get(id);
      spend(1);
      if (field !== undefined) one(values, field, wire, end, depth, type);
      else {
        reader.skip(id, wire, end);
        unknownBytes -= reader.position - start;
        if (unknownBytes < 0) throw malformed(`unknown fields take more than ${budget.unknownBytes} bytes`, start);
        list(values, "unknown").push(reader.since(start));
      }
    }
    return values;
  }

  function one(values: Values, field: Field, wire: number, end: number, depth: number, type: string): void {
    const [name, kind, repeated] = field;
    const start = reader.position;
    switch (kind) {
      case "packed-32":
      case "packed-64":
      case "packed-varint": {
        // Unpacked elements are legal too: each is then a payload of its own.
        const unpacked = kind === "packed-32" ? WIRE.FIXED32 : kind === "packed-64" ? WIRE.FIXED64 : WIRE.VARINT;
        if (wire === WIRE.LENGTH) list(values, name).push(reader.payload(reader.size(end)));
        else if (wire === unpacked) {
          reader.skip(0, wire, end);
          list(values, name).push(reader.since(start));
        } else throw wrongWire(type, name, wire, start);
        return;
      }
      case "int64":
      case "float": {
        const single = kind === "float" ? WIRE.FIXED32 : WIRE.VARINT;
        if (repeated && wire === WIRE.LENGTH) {
          const stop = reader.size(end) + reader.position;
          while (reader.position < stop) {
            spend(0.25); // eight bytes of a list each, a quarter of what other items take
            list(values, name).push(kind === "float" ? reader.float32(stop) : reader.int64(stop));
          }
          return;
        }
        if (wire !== single) throw wrongWire(type, name, wire, start);
        const value = kind === "float" ? reader.float32(end) : reader.int64(end);
        if (repeated) list(values, name).push(value);
        else values[name] = value;
        return;
      }
    }
    if (wire !== WIRE.LENGTH) throw wrongWire(type, name, wire, start);
    const length = reader.size(end);
    const stop = reader.position + length;
    let value: unknown;
    if (kind === "string") value = reader.text(length, end);
    else if (kind === "bytes") value = reader.payload(length) satisfies Bytes;
    else value = message(kind, stop, depth + 1);
    if (repeated) list(values, name).push(value);
    // A message that comes twice is merged, as protobuf says, but no exporter writes one: take it as damage.
    else if (typeof value === "object" && values[name] !== undefined && kind !== "bytes") {
      throw malformed(`${type} has two fields ${name}`, start);
    } else values[name] = value;
  }

  return message(name, reader.length, 1) as unknown as Message<K>;
}

function list(values: Values, name: string): unknown[] {
  const found = values[name] as unknown[] | undefined;
  if (found) return found;
  const made: unknown[] = [];
  values[name] = made;
  return made;
}

function wrongWire(type: string, name: string, wire: number, offset: number): CompileError {
  return malformed(`${type}'s field ${name} has wire type ${wire}`, offset);
}
