// A sink: start, write, close.
const sink = new WritableStream({
  start: () => console.log("start"),
  write: (chunk) => console.log("write", chunk),
  close: () => console.log("close"),
});
await ReadableStream.from(["a", "b"]).pipeTo(sink);
