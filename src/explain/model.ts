import type { Entries } from "./entry.ts";

const EXPORT = "Export the model again, with a current exporter.";
const DAMAGED = "The file was cut off, edited by hand, or written by a faulty exporter.";
const HOSTILE = "The file is damaged, or was made to harm whoever reads it.";

/** Exit status 3: the model was rejected, before anything was written. */
export const model: Entries = {
  "accumulator-overflow": [
    "A sum might not fit into the chip's accumulator, as proven from the weights.",
    "A very long reduction in int16.",
    "Use int8 activations for this node, or split its reduction.",
  ],
  "bad-attribute": ["An attribute of a node is of the wrong kind or holds what it may not.", DAMAGED, EXPORT],
  "bad-call": ["A function of the model is called with too few inputs or outputs.", DAMAGED, EXPORT],
  "bad-scale": [
    "A quantization scale in the model is zero, negative, denormal or not a number.",
    "A quantizer that met a constant or empty channel.",
    "Quantize the model again, or give the float model: optimus-compile quantizes itself.",
  ],
  "bad-shape": ["A shape holds what is no size, or does not fit the data.", DAMAGED, EXPORT],
  "bad-tensor": ["A tensor's bytes do not fit its type and shape.", DAMAGED, EXPORT],
  budget: [
    "The model has more nodes, tensors or nesting than is read.",
    HOSTILE,
    "Check where the file comes from; exporters of neural networks stay far below.",
  ],
  "changed-file": [
    "The file became shorter while it was read.",
    "Another program was writing it.",
    "Wait until the file is whole.",
  ],
  "cpu-fallback": [
    "A node that would run on the CPU cannot be handed to it.",
    "It holds large tensors among its attributes, or subgraphs.",
    "Make them constants of the graph, or set allowCpu: false to see which operator the chip lacks.",
  ],
  cycle: [
    "A value depends on itself.",
    HOSTILE,
    "Loops are written with the Loop or Scan operator, or as a state in the recipe's `inputs`.",
  ],
  "does-not-fit": [
    "The network does not fit into the chip's memories at once.",
    "One layer's tensors are larger than SRAM, however they are cut.",
    "Bind smaller inputs, or choose a target with more SRAM.",
  ],
  "duplicate-attribute": ["A node has one attribute twice.", HOSTILE, EXPORT],
  "duplicate-name": ["Two values have one name.", DAMAGED, EXPORT],
  empty: ["The model's file is empty.", "A download or an export that failed.", "Get the file again."],
  "empty-value": [
    "A value of the network holds no elements.",
    "An input was bound with a dimension of 0.",
    "Bind every dimension to at least 1.",
  ],
  epsilon: [
    "A normalization's epsilon is larger than the values that it is added to.",
    "A wrong attribute in the model.",
    "Check the node's epsilon.",
  ],
  "graph-text": [
    "A graph in text form cannot be read.",
    "A mistyped line, or a quantization record that was changed.",
    "The message names line and column.",
  ],
  "impossible-deadline": [
    "Even the bound, which no schedule beats, is beyond the profile's deadline.",
    "The model has too many multiplications for this target.",
    "Choose a smaller model, a faster target, or a profile with a later deadline.",
  ],
  "int4-values": [
    "The model computes with values of 4 bits, which ONNX Runtime, that runs it as the teacher, overwrites.",
    "A quantizer that wrote QuantizeLinear to int4 or uint4 for activations.",
    "`optimus-compile export RECIPE --qdq FILE` writes the same model with clamped codes of 8 bits: build that.",
  ],
  "invalid-graph": ["The model's graph is not sound.", DAMAGED, EXPORT],
  "invalid-node": [
    "A node's inputs do not fit its operator.",
    "Shapes or types that do not go together, often from a wrong binding in the recipe.",
    "Check the shapes in the recipe's `inputs`, then the model with `optimus-compile inspect`.",
  ],
  "ir-version": [
    "The file's ONNX IR version is not one that is read.",
    "It is no ONNX model, or a far newer one.",
    "Check that it is an ONNX model; export with a current opset.",
  ],
  "layer-too-large": [
    "One layer alone is larger than the chip's SRAM, however it is cut.",
    "A huge input, or a `maxSramBytes` gate that leaves too little.",
    "Bind a smaller input, or choose a target with more SRAM.",
  ],
  malformed: [
    "The file is not well-formed protobuf.",
    DAMAGED,
    "Check that the file is complete; download or export it again.",
  ],
  "no-external-data": [
    "A file with the model's weights is missing.",
    "Only the .onnx file was copied.",
    "Put the external data beside the model, under the name that the model gives.",
  ],
  "no-graph": [
    "The file holds no graph.",
    "It is another protobuf and not an ONNX model.",
    "Give the .onnx file itself.",
  ],
  "no-name": ["An initializer has no name.", HOSTILE, EXPORT],
  "no-operator": ["A node names no operator.", HOSTILE, EXPORT],
  "not-finite": [
    "A weight is infinite or not a number.",
    "Training diverged, or the conversion to float16 overflowed.",
    "Train or convert the model again.",
  ],
  onnxruntime: [
    "ONNX Runtime, which computes the teacher's own answers, refuses the model.",
    "An operator or type that it lacks.",
    "The message is ONNX Runtime's; export the model for a version that it supports.",
  ],
  opset: [
    "The model uses an opset that is not known.",
    "A future exporter, or a damaged file.",
    "Export with opset 7 to 25.",
  ],
  "recursive-function": ["A function of the model calls itself.", HOSTILE, EXPORT],
  "shape-mismatch": [
    "Shapes that are combined do not broadcast.",
    "A wrong binding in the recipe's `inputs`, or a damaged model.",
    "Check the shapes that the recipe binds.",
  ],
  "state-mismatch": [
    "One state has different types in different entries.",
    "Graphs that share a cache were exported with different sizes.",
    "Export them with the same sizes.",
  ],
  "symbolic-shape": [
    "A shape is not known when the model is compiled.",
    "A dimension depends on the data.",
    "Bind every symbolic dimension in `inputs` or `dims`; make shape inputs constants.",
  ],
  "too-large": [
    "The model does not fit into one protobuf file.",
    "More than 2 GiB of weights.",
    "Write it with its weights in external data.",
  ],
  "undefined-input": ["A node reads a value that nothing makes.", DAMAGED, EXPORT],
  "undefined-output": ["The graph promises an output that nothing makes.", DAMAGED, EXPORT],
  "unknown-dtype": ["A tensor's data type is not known.", "A newer ONNX, or a damaged file.", EXPORT],
  "weights-vary": [
    "A trained model cannot be written with the weights that were learnt.",
    "Its weights are computed, by nodes that depend on how many samples it is given at once.",
    "Export it with its weights as initializers.",
  ],
  diverged: [
    "A training's loss, or a gradient, is no longer a finite number.",
    "A learning rate that is too high, or data that are not what the model expects.",
    "Lower the rate, warm up longer, or clip the gradients; the weights are those before the step.",
  ],
  "no-gradient": [
    "An operator between a weight and the loss has no gradient.",
    "An operator that docs/training.md lists as not differentiable.",
    "Train only what comes after it, or bring it into simpler operators with a `lower` pass first.",
  ],
  "unknown-size": [
    "A value on the way from a weight to the loss has dimensions that are not known.",
    "A batch size, or a length, that was not bound.",
    "Bind all dimensions of the inputs; a training step is built for one batch size.",
  ],
  "unknown-operator": [
    "An operator of the model is not known.",
    "A custom operator of a framework.",
    "Export with standard operators; docs/operators.md lists those that are known.",
  ],
  "unknown-type": [
    "The type of an input is not known.",
    "The model does not say it.",
    "Give its shape and dtype in the recipe's `inputs`.",
  ],
  "unsafe-external-data": [
    "A path or range of external data is not safe to read.",
    "It leaves the model's folder, is a link, or ends beyond its file.",
    "External data must be a plain file beside the model, or below its folder.",
  ],
  "unsafe-file": [
    "The model's path is not a plain file.",
    "It is a folder, a device, or a pipe.",
    "Give the .onnx file itself.",
  ],
  "unsupported-attribute": [
    "An attribute has a value that is not supported.",
    "An option of an old opset that exporters no longer use.",
    EXPORT,
  ],
  "unsupported-type": [
    "A value is of a type that is not supported, such as a map.",
    "A classical machine-learning model, or a pipeline with its preprocessing.",
    "Export the neural network alone: tensors, sequences and optionals are read.",
  ],
  "untyped-input": ["An input of the model has no type.", DAMAGED, EXPORT],
};
