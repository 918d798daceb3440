// Piping from a source to a sink: directly, and through transforms.

import { CoroutineMapping, CoroutineSink, CoroutineSource, Mapping, Sink, Source } from "./parts.mjs";
import { ReadableStream, TransformStream, WritableStream } from "./streams.mjs";

async function pipe(highWaterMark, chunks) {
  const sink = new Sink();
  const readable = new ReadableStream(new Source(chunks), { highWaterMark });
  await readable.pipeTo(new WritableStream(sink, { highWaterMark }));
  return sink.arrived;
}

async function pipeCoroutines(chunks) {
  const sink = new CoroutineSink();
  await new ReadableStream(new CoroutineSource(chunks)).pipeTo(new WritableStream(sink));
  return sink.arrived;
}

async function throughIdentity(chunks) {
  const sink = new Sink();
  const identity = new TransformStream();
  await new ReadableStream(new Source(chunks)).pipeThrough(identity).pipeTo(new WritableStream(sink));
  return sink.arrived;
}

async function throughCoroutine(chunks) {
  const sink = new Sink();
  const transform = new TransformStream(new CoroutineMapping());
  await new ReadableStream(new Source(chunks)).pipeThrough(transform).pipeTo(new WritableStream(sink));
  return sink.arrived;
}

async function throughMappings(stages, chunks) {
  const sink = new Sink();
  let readable = new ReadableStream(new Source(chunks));
  for (let stage = 0; stage < stages; stage += 1) {
    readable = readable.pipeThrough(new TransformStream(new Mapping()));
  }
  await readable.pipeTo(new WritableStream(sink));
  return sink.arrived;
}

async function tee(chunks) {
  const sinks = [new Sink(), new Sink()];
  const branches = new ReadableStream(new Source(chunks)).tee();
  await Promise.all(branches.map((branch, index) => branch.pipeTo(new WritableStream(sinks[index]))));
  return Math.min(...sinks.map((sink) => sink.arrived));
}

export const scenarios = {
  "pipe-1": (chunks) => () => pipe(1, chunks),
  "pipe-16": (chunks) => () => pipe(16, chunks),
  "pipe-coroutines": (chunks) => () => pipeCoroutines(chunks),
  "through-identity": (chunks) => () => throughIdentity(chunks),
  "through-mapping": (chunks) => () => throughMappings(1, chunks),
  "through-coroutine": (chunks) => () => throughCoroutine(chunks),
  "four-mappings": (chunks) => () => throughMappings(4, chunks),
  tee: (chunks) => () => tee(chunks),
};
