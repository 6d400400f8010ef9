/** Reference networks of the back end, by name. Post stages ride on their producers, as after fusion. */
import type { Graph } from "../../src/ir/graph.ts";
import { googLeNet, mobileNetV2, resNet50 } from "./networks/classifiers.ts";
import { yoloV8n } from "./networks/detectors.ts";
import { gptDecode, vitB16, whisperTinyEncoder } from "./networks/transformers.ts";

/** Images at once: networks of images only. */
export type MakeNetwork = (batch?: number) => Graph;

export const NETWORKS: ReadonlyMap<string, MakeNetwork> = new Map<string, MakeNetwork>([
  ["resnet50", resNet50],
  ["mobilenet-v2", mobileNetV2],
  ["googlenet-224", (batch) => googLeNet("googlenet-224", 224, 224, batch)],
  ["googlenet-1280x960", (batch) => googLeNet("googlenet-1280x960", 960, 1280, batch)],
  ["yolov8n", yoloV8n],
  ["vit-b16", vitB16],
  ["whisper-tiny-encoder", whisperTinyEncoder],
  ["gpt-1.5b-decode", () => gptDecode()],
]);
