// The reason of a cancel reaches the source.
const stream = new ReadableStream({
  pull: (controller) => controller.enqueue("chunk"),
  cancel: (reason) => console.log("cancelled:", reason),
});
const reader = stream.getReader();
console.log((await reader.read()).value);
await reader.cancel("that is enough");
console.log((await reader.read()).done);
