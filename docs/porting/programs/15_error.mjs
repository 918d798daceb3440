// An error goes everywhere.
const source = new ReadableStream({
  pull: (controller) => controller.enqueue("eggs"),
  cancel: (reason) => console.log("cancel:", reason.message),
});
const fail = new TransformStream({
  transform(chunk) { throw new Error(`cannot use ${chunk}`); },
});
const sink = new WritableStream({ abort: (reason) => console.log("abort:", reason.message) });
try {
  await source.pipeThrough(fail).pipeTo(sink);
} catch (error) {
  console.log("caught:", error.message);
}
