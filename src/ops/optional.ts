import type { Op } from "./op.ts";
import { typeOfAttribute } from "./shared/type-attribute.ts";
import { makeType, reject } from "./shared/types.ts";

/** An optional that holds the input, or nothing: then the attribute `type` says what it could hold. */
const op: Op = {
  infer(node, inputs) {
    const attribute = node.attrs.get("type");
    const declared = attribute && "raw" in attribute ? typeOfAttribute(attribute.raw) : undefined;
    const type = inputs[0] ?? declared ?? reject(node, "there is neither an input nor a type");
    const container = type.container === "sequence" ? "optional-sequence" : "optional";
    return [{ ...makeType(type.dtype, type.shape), container }];
  },
  evaluate: (_node, inputs) => [inputs[0]],
};

export default op;
