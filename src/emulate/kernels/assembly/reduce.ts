// Reductions, pools and norms. A group of elements is given by its base and the offsets of its members, in bytes.
import { Post, postOne, postRow, postRow64 } from "./post";

@inline
function code(at: usize, bytes: i32): i32 {
  return bytes == 1 ? <i32>load<i8>(at) : <i32>load<i16>(at);
}

@inline
function storeAs(at: usize, bytes: i32, value: i32): void {
  if (bytes == 1) store<i8>(at, <i8>value);
  else store<i16>(at, <i16>value);
}

/** kind 0: the sum of x − zero through the post stage (acc: room for groups int32 + 32 bytes); 1: the largest code; 2: the smallest. */
export function reduceGroups(
  kind: i32, x: usize, bytes: i32, zero: i32, bases: usize, groups: i32, members: usize, size: i32,
  acc: usize, post: usize, out: usize,
): void {
  for (let g = 0; g < groups; g++) {
    const base = x + load<u32>(bases + (<usize>g << 2));
    let total = kind == 0 ? 0 : kind == 1 ? i32.MIN_VALUE : i32.MAX_VALUE;
    for (let k = 0; k < size; k++) {
      const value = code(base + load<u32>(members + (<usize>k << 2)), bytes);
      total = kind == 0 ? total + value - zero : kind == 1 ? max(total, value) : min(total, value);
    }
    if (kind == 0) store<i32>(acc + (<usize>g << 2), total);
    else storeAs(out + <usize>(g * bytes), bytes, total);
  }
  if (kind == 0) postRow(changetype<Post>(post), 0, false, acc, groups, out);
}

/** The largest code less the second largest of each group, at most 32767; with `ctc` 32768 less where the first is not the largest. */
export function marginGroups(
  ctc: bool, x: usize, bytes: i32, bases: usize, groups: i32, members: usize, size: i32, out: usize,
): void {
  for (let g = 0; g < groups; g++) {
    const base = x + load<u32>(bases + (<usize>g << 2));
    const first = code(base + load<u32>(members), bytes);
    let top = first;
    let second = i32.MIN_VALUE;
    for (let k = 1; k < size; k++) {
      const value = code(base + load<u32>(members + (<usize>k << 2)), bytes);
      second = max(second, min(top, value));
      top = max(top, value);
    }
    const lowered = ctc && first < top ? 32768 : 0;
    store<i16>(out + (<usize>g << 1), <i16>(min(32767, top - second) - lowered));
  }
}

/** ⌊√(Σ (x − zero)²·2^20)⌋ of each group, through the wide post stage; the sum is below 2^32. acc: room for groups int64. */
export function rootGroups(
  x: usize, bytes: i32, zero: i32, bases: usize, groups: i32, members: usize, size: i32, acc: usize, post: usize, out: usize,
): void {
  for (let g = 0; g < groups; g++) {
    const base = x + load<u32>(bases + (<usize>g << 2));
    let squares: i64 = 0;
    for (let k = 0; k < size; k++) {
      const u = <i64>(code(base + load<u32>(members + (<usize>k << 2)), bytes) - zero);
      squares += u * u;
    }
    // Below 2^52 a double's root of an integer, rounded once, has the true integer part.
    store<i64>(acc + (<usize>g << 3), <i64>floor(sqrt(<f64>(squares << 20))));
  }
  postRow64(changetype<Post>(post), acc, groups, out);
}

/** Pools over planes [height][width]; the average of a window takes the post stage's channel (cells counted − 1). */
export function pool(
  average: bool, x: usize, bytes: i32, planes: i32, height: i32, width: i32, outHeight: i32, outWidth: i32,
  kernelY: i32, kernelX: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32,
  top: i32, left: i32, paddedBottom: i32, paddedRight: i32, zero: i32, countsPadding: bool, post: usize, out: usize,
): void {
  const p = changetype<Post>(post);
  const outBytes = average ? p.bytes : bytes;
  for (let plane = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        let total = average ? 0 : bytes == 1 ? -128 : -32768;
        let cells = 0;
        for (let ky = 0; ky < kernelY; ky++) {
          const y = oy * strideY - top + ky * dilationY;
          if (y >= paddedBottom) break;
          for (let kx = 0; kx < kernelX; kx++) {
            const column = ox * strideX - left + kx * dilationX;
            if (column >= paddedRight) break;
            const inside = y >= 0 && y < height && column >= 0 && column < width;
            if (inside || countsPadding) cells += 1;
            if (!inside) continue;
            const value = code(x + <usize>((y * width + column) * bytes), bytes);
            total = average ? total + value - zero : max(total, value);
          }
        }
        storeAs(out, outBytes, average ? postOne(p, max(cells, 1) - 1, <i64>total) : total);
        out += <usize>outBytes;
      }
    }
    x += <usize>(height * width * bytes);
  }
}

@inline
function power(table: usize, bytes: i32, d: i32): i64 {
  if (bytes == 1) return <i64>load<i32>(table + (<usize>d << 2));
  const upper = <i64>load<i32>(table + (<usize>(d >> 8) << 2));
  return (upper * <i64>load<i32>(table + (<usize>(256 + (d & 255)) << 2)) + (1 << 14)) >> 15;
}

/** kind 0: uint8 weights 255·e / 2^15; 1: int8 quotients at 1/256; 2: int16 quotients at 1/32768. `inner`: elements between members. */
export function softmax(
  kind: i32, x: usize, bytes: i32, outer: i32, size: i32, inner: i32, table: usize, scratch: usize, out: usize,
): void {
  const outBytes = kind == 2 ? 2 : 1;
  for (let row = 0; row < outer * inner; row++) {
    const first = (row / inner) * size * inner + (row % inner);
    let most = i32.MIN_VALUE;
    for (let k = 0; k < size; k++) most = max(most, code(x + <usize>((first + k * inner) * bytes), bytes));
    let total: i64 = 0;
    for (let k = 0; k < size; k++) {
      const e = power(table, bytes, most - code(x + <usize>((first + k * inner) * bytes), bytes));
      store<i32>(scratch + (<usize>k << 2), <i32>e);
      total += e;
    }
    const half = total >> 1;
    for (let k = 0; k < size; k++) {
      const e = <i64>load<i32>(scratch + (<usize>k << 2));
      const at = out + <usize>((first + k * inner) * outBytes);
      if (kind == 0) store<u8>(at, <u8>((255 * e + (1 << 14)) >> 15));
      else if (kind == 1) store<i8>(at, <i8>(min<i64>(255, ((e << 8) + half) / total) - 128));
      else store<i16>(at, <i16>min<i64>(32767, ((e << 15) + half) / total));
    }
  }
}

/** Integer LayerNorm of `rows` rows of n codes; gammaStep and betaStep in elements; acc: room for n int64. */
export function layerNorm(
  x: usize, bytes: i32, rows: i32, n: i32, zero: i32, center: bool, epsilon: i64,
  gamma: usize, gammaStep: i32, beta: usize, betaStep: i32, acc: usize, post: usize, out: usize,
): void {
  const p = changetype<Post>(post);
  for (let row = 0; row < rows; row++) {
    let sum: i64 = 0;
    let squares: i64 = 0;
    for (let i = 0; i < n; i++) {
      const u = <i64>(code(x + <usize>(i * bytes), bytes) - zero);
      sum += u;
      squares += u * u;
    }
    if (!center) sum = 0;
    let variance = <i64>n * squares - sum * sum + epsilon;
    let shift: i64 = 12;
    while (variance < (<i64>1) << 50) {
      variance <<= 2;
      shift += 1;
    }
    // Below 2^52 a double's root of an integer, rounded once, has the true integer part.
    const root = <i64>floor(sqrt(<f64>variance));
    for (let i = 0; i < n; i++) {
      const u = <i64>(code(x + <usize>(i * bytes), bytes) - zero);
      const numerator = ((<i64>n * u - sum) << shift) + (root >> 1);
      let t = numerator / root;
      if (numerator % root < 0) t -= 1;
      const g = <i64>load<i16>(gamma + <usize>((i * gammaStep) << 1));
      store<i64>(acc + (<usize>i << 3), t * g + <i64>load<i32>(beta + <usize>((i * betaStep) << 2)));
    }
    postRow64(p, acc, n, out);
    x += <usize>(n * bytes);
    out += <usize>(n * p.bytes);
  }
}
