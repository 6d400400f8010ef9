import { intsAttr } from "../../ir/graph.ts";
import { moves } from "../shared/npu/move.ts";
import { reject, resolveAxis } from "../shared/types.ts";

/** starts, ends, axes, steps are normalised: 0 ≤ start ≤ dim, and with a negative step end −1 means before the first. */
export default moves((node, from) => {
  const starts = intsAttr(node, "starts") ?? [];
  const ends = intsAttr(node, "ends") ?? [];
  const axes = intsAttr(node, "axes") ?? starts.map((_, axis) => axis);
  const steps = intsAttr(node, "steps") ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    reject(node, "starts, ends, axes and steps differ in length");
  }
  const shape = [...from];
  const first = from.map(() => 0);
  const step = from.map(() => 1);
  axes.forEach((given, at) => {
    const axis = resolveAxis(node, given, from.length);
    const count = Math.ceil((ends[at] - starts[at]) / steps[at]);
    const last = starts[at] + (count - 1) * steps[at];
    if (!(count >= 1) || starts[at] < 0 || starts[at] >= from[axis] || last < 0 || last >= from[axis]) {
      reject(node, `the slice ${starts[at]}:${ends[at]}:${steps[at]} leaves axis ${axis} of [${from}]`);
    }
    [shape[axis], first[axis], step[axis]] = [count, starts[at], steps[at]];
  });
  return { shape, from: (index) => index.map((at, axis) => first[axis] + at * step[axis]) };
});
