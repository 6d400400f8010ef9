/**
 * The one notation of graphs: printing, tests, patterns and the sealed artifact use it. One statement a line:
 *
 *     graph name opset 21, com.microsoft 1         the header may be left out: no name, opset 21
 *     metadata "key" = "value"
 *     input x: float32[1,3,N,320]
 *     const w: int8[4,3]{scale=[0.1,0.2,0.1,0.3], axis=0} = data(0)
 *     state hN -> h = zeros                        the output hN is the input h of the next step
 *     y: float32[1,4,N,318] = Conv(x, w, b) pads=[0,0,0,0] alpha=1.0   # origin: conv1
 *     a, _ = npu.Split(y) axis=1                   domain before the last dot; `_` is an absent value
 *     return a
 *
 * A constant's value is a list `[1, 2]`, a scalar, `zeros`, `ones`, `iota`, `random(SEED)`, `random(SEED, LOW, HIGH)` or
 * `data(INDEX)`, a place in the list of tensors beside the text. An unknown rank has no brackets, an unknown dimension
 * is `?`. Attributes are integers, floats (always with a `.`, an `e`, `inf` or `nan`), strings, lists of these (empty
 * ones as `floats[]`, `strings[]`), `tensor(int64[2] = [1, 2])`, `tensors(…, …)`, `{ a graph }`, `graphs({…}, {…})` and
 * `raw("base64")`. Names other than `[A-Za-z0-9_./-]+`, with single colons inside, stand in double quotes.
 */
export { parse } from "./text/parse.ts";
export { type PrintOptions, print } from "./text/print.ts";
