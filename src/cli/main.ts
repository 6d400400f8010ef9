#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command } from "commander";

const manifest = JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, "utf8")) as { version: string };

const program = new Command("optimus-compile")
  .description("Compiles ONNX models to int8 programs for NPUs")
  .version(manifest.version);

program.parse();
