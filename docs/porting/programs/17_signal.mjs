// Stop a pipe from outside.
const controller = new AbortController();
let count = 0;
const source = new ReadableStream({
  pull(stream) {
    stream.enqueue(++count);
    if (count === 3) controller.abort("three are enough");
  },
  cancel: (reason) => console.log("cancel:", reason),
}, { highWaterMark: 0 });
const sink = new WritableStream({ write: (chunk) => console.log(chunk) });
await source.pipeTo(sink, { signal: controller.signal }).catch((reason) => console.log("caught:", reason));
