/** Codes that only change their place: DMA, moves, fills, gathers. */
import type {
  DmaCommand,
  FillCommand,
  GatherCommand,
  MoveCommand,
  NibbleCommand,
  ScatterCommand,
  Storage,
} from "../../schedule/program.ts";
import { type AnyArray, forEachRow, type Memories, type NumberArray, type Place } from "./memory.ts";

function copy(from: Place<AnyArray>, to: Place<AnyArray>): void {
  const source = from.data as NumberArray;
  const target = to.data as NumberArray;
  forEachRow(to.shape, [from.strides, to.strides], (count, [fromAt, toAt], [fromStep, toStep]) => {
    const start = from.offset + fromAt;
    const end = to.offset + toAt;
    if (fromStep === 1 && toStep === 1 && count > 16) {
      target.set(source.subarray(start, start + count), end);
      return;
    }
    for (let i = 0; i < count; i++) target[end + i * toStep] = source[start + i * fromStep];
  });
}

export function runDma(command: DmaCommand, memories: Memories): void {
  copy(memories.any(command.from), memories.any(command.to));
}

const RANGES: Partial<Record<Storage, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

export function runMove(command: MoveCommand, memories: Memories): void {
  const [x, y] = [memories.any(command.x), memories.any(command.y)];
  const range = command.x.dtype === command.y.dtype ? undefined : RANGES[command.y.dtype];
  if (range === undefined) {
    copy(x, y);
    return;
  }
  const [low, high] = range;
  const source = x.data as NumberArray;
  const target = y.data as NumberArray;
  forEachRow(y.shape, [x.strides, y.strides], (count, [xAt, yAt], [xStep, yStep]) => {
    for (let i = 0; i < count; i++) {
      const code = source[x.offset + xAt + i * xStep];
      target[y.offset + yAt + i * yStep] = code < low ? low : code > high ? high : code;
    }
  });
}

/** `checkCommand` has made sure that one side has twice the codes of the other. */
export function runNibbles({ kind, x, y }: NibbleCommand, memories: Memories): void {
  const [codes, bytes] = [memories.numbers(kind === "pack" ? x : y), memories.numbers(kind === "pack" ? y : x)];
  const step = codes.strides[codes.strides.length - 1];
  const twice = codes.strides.map((stride, axis) => (axis === codes.strides.length - 1 ? 2 * stride : stride));
  const half = (code: number) => (code < -8 ? -8 : code > 7 ? 7 : code) & 15;
  forEachRow(bytes.shape, [twice, bytes.strides], (count, [codeAt, byteAt], [codeStep, byteStep]) => {
    for (let i = 0; i < count; i++) {
      const [from, to] = [codes.offset + codeAt + i * codeStep, bytes.offset + byteAt + i * byteStep];
      if (kind === "pack") bytes.data[to] = half(codes.data[from]) | (half(codes.data[from + step]) << 4);
      else {
        // Each half, its sign carried up.
        codes.data[from] = (bytes.data[to] << 28) >> 28;
        codes.data[from + step] = (bytes.data[to] << 24) >> 28;
      }
    }
  });
}

export function runFill(command: FillCommand, memories: Memories): void {
  const y = memories.numbers(command.y);
  forEachRow(y.shape, [y.strides], (count, [yAt], [yStep]) => {
    for (let i = 0; i < count; i++) y.data[y.offset + yAt + i * yStep] = command.value;
  });
}

/** A negative index counts from the end; one out of range is clamped to the ends. */
export function runGather(command: GatherCommand, memories: Memories): void {
  const [x, y] = [memories.any(command.x), memories.any(command.y)];
  const indices = memories.any(command.indices);
  const [outer, size, inner] = x.shape;
  const count = indices.shape[0];
  for (let i = 0; i < count; i++) {
    const given = Number(indices.data[indices.offset + i * indices.strides[0]]);
    const index = Math.min(Math.max(given < 0 ? given + size : given, 0), size - 1);
    copy(
      {
        data: x.data,
        offset: x.offset + index * x.strides[1],
        shape: [outer, inner],
        strides: [x.strides[0], x.strides[2]],
      },
      {
        data: y.data,
        offset: y.offset + i * y.strides[1],
        shape: [outer, inner],
        strides: [y.strides[0], y.strides[2]],
      },
    );
  }
}

/** Rows beyond the end begin again at the start (`circular`), or the first row is moved so that all fit. */
export function runScatter(command: ScatterCommand, memories: Memories): void {
  const [x, y] = [memories.any(command.x), memories.any(command.y)];
  const indices = memories.any(command.indices);
  const [batch, outer, rows, inner] = x.shape;
  const depth = y.shape[2];
  for (let n = 0; n < batch; n++) {
    const given = Number(indices.data[indices.offset + n * indices.strides[0]]);
    const first = command.circular ? given : Math.min(Math.max(given, 0), depth - rows);
    for (let row = 0; row < rows; row++) {
      const to = (((first + row) % depth) + depth) % depth;
      copy(
        {
          data: x.data,
          offset: x.offset + n * x.strides[0] + row * x.strides[2],
          shape: [outer, inner],
          strides: [x.strides[1], x.strides[3]],
        },
        {
          data: y.data,
          offset: y.offset + n * y.strides[0] + to * y.strides[2],
          shape: [outer, inner],
          strides: [y.strides[1], y.strides[3]],
        },
      );
    }
  }
}
