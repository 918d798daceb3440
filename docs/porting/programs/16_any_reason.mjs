// Anything can be a reason.
const stream = new ReadableStream({ start: (controller) => controller.error(404) });
await stream.getReader().read().catch((reason) => console.log(reason + 1));
