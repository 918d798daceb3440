// Writing with a writer's loop.

import { Sink } from "./parts.mjs";
import { WritableStream } from "./streams.mjs";

async function writeReady(chunks) {
  const sink = new Sink();
  const writer = new WritableStream(sink).getWriter();
  for (let number = 0; number < chunks; number += 1) {
    await writer.ready;
    writer.write(number);
  }
  await writer.close();
  return sink.arrived;
}

async function writeAwait(chunks) {
  const sink = new Sink();
  const writer = new WritableStream(sink).getWriter();
  for (let number = 0; number < chunks; number += 1) {
    await writer.write(number);
  }
  await writer.close();
  return sink.arrived;
}

export const scenarios = {
  "write-ready": (chunks) => () => writeReady(chunks),
  "write-await": (chunks) => () => writeAwait(chunks),
};
