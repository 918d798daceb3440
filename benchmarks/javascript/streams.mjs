// The classes to measure: the engine's own, or those of the module that the command line names.

import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , , , , library] = process.argv;
const own = { Readable: globalThis.ReadableStream, Writable: globalThis.WritableStream, Transform: globalThis.TransformStream };

async function load() {
  const { FastReadableStream, FastWritableStream, FastTransformStream } = await import(pathToFileURL(library));
  return { Readable: FastReadableStream, Writable: FastWritableStream, Transform: FastTransformStream };
}

const classes = library ? await load() : own;
export const ReadableStream = classes.Readable;
export const WritableStream = classes.Writable;
export const TransformStream = classes.Transform;
