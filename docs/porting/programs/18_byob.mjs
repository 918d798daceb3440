// A source of bytes that fills the reader's memory.
const bytes = new TextEncoder().encode("slow and steady");
let position = 0;
const stream = new ReadableStream({
  type: "bytes",
  autoAllocateChunkSize: 4,
  pull(controller) {
    const { view } = controller.byobRequest;
    const part = bytes.subarray(position, position + view.byteLength);
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(part);
    position += part.length;
    if (part.length === 0) controller.close();
    controller.byobRequest.respond(part.length);
  },
});
const reader = stream.getReader({ mode: "byob" });
let memory = new Uint8Array(8);
while (true) {
  const { value, done } = await reader.read(memory);
  if (done) break;
  console.log(new TextDecoder().decode(value));
  memory = new Uint8Array(value.buffer);
}
