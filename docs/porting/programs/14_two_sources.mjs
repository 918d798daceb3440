// Two sources, one after the other, into one sink.
const sink = new WritableStream({
  write: (chunk) => console.log(chunk),
  close: () => console.log("close"),
});
await ReadableStream.from(["head"]).pipeTo(sink, { preventClose: true });
await ReadableStream.from(["body"]).pipeTo(sink);
