// Byte streams: reading chunks, and reading into the reader's own memory.

import { readAll } from "./parts.mjs";
import { ReadableStream } from "./streams.mjs";

const SIZE = 1024;

class ByteSource {
  type = "bytes";

  constructor(chunks) {
    this.chunks = chunks;
    this.sent = 0;
  }

  pull(controller) {
    if (this.sent === this.chunks) {
      controller.close();
    } else {
      controller.enqueue(new Uint8Array(SIZE));
      this.sent += 1;
    }
  }
}

class FillingSource extends ByteSource {
  pull(controller) {
    const request = controller.byobRequest;
    if (this.sent === this.chunks) {
      controller.close();
      request.respond(0);
    } else {
      const view = request.view;
      view[0] = this.sent & 255;
      request.respond(SIZE);
      this.sent += 1;
    }
  }
}

function readBytes(chunks) {
  const reader = new ReadableStream(new ByteSource(chunks)).getReader();
  return () => readAll(reader);
}

async function readByob(chunks) {
  const reader = new ReadableStream(new FillingSource(chunks)).getReader({ mode: "byob" });
  let arrived = 0;
  let result = await reader.read(new Uint8Array(SIZE));
  while (!result.done) {
    arrived += 1;
    result = await reader.read(result.value);
  }
  return arrived;
}

export const scenarios = {
  "read-bytes": readBytes,
  "read-byob": (chunks) => () => readByob(chunks),
};
