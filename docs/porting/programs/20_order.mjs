// The order of reactions, which is the Standard's.
const stream = new ReadableStream({ start: (controller) => { controller.enqueue("chunk"); controller.close(); } });
const reader = stream.getReader();
reader.closed.then(() => console.log("closed"));
reader.read().then(() => console.log("first read"));
reader.read().then(() => console.log("second read"));
queueMicrotask(() => console.log("microtask"));
await reader.closed;
