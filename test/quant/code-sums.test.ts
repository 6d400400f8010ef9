import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/ir/random.ts";
import { codeSums } from "../../src/quant/code-sums.ts";

describe("codeSums", () => {
  it.each([
    [3, 1],
    [5, 7],
    [2, 8],
    [4, 29],
  ])("of %i channels with %i codes in a row is what a loop adds up", (channels, inner) => {
    const random = seededRandom(`codes ${channels} ${inner}`);
    const draw = (count: number) => Int16Array.from({ length: count }, () => Math.floor((random() - 0.5) * 65536));
    const sums = codeSums(channels, inner);
    const want = {
      codes: new Float64Array(channels),
      most: new Float64Array(channels),
      squares: new Float64Array(channels),
    };
    for (let sample = 0; sample < 3; sample++) {
      const [codes, moved] = [draw(2 * channels * inner), draw(2 * channels * inner)];
      codes[0] = -32768;
      moved[0] = 32767;
      sums.add(codes, moved);
      codes.forEach((code, index) => {
        const channel = Math.floor(index / inner) % channels;
        const difference = moved[index] - code;
        want.codes[channel] += code;
        want.most[channel] = Math.max(want.most[channel], difference);
        want.squares[channel] += difference ** 2;
      });
    }
    expect(sums.codes).toEqual(want.codes);
    expect(sums.most).toEqual(want.most);
    expect(sums.squares).toEqual(want.squares);
    expect(sums.count()).toBe(6 * inner);
  });
});
