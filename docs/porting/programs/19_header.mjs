// A length, then so many bytes.
const stream = new ReadableStream({
  type: "bytes",
  start(controller) {
    for (const part of [[0, 0], [0, 5, 104, 101], [108, 108, 111]]) controller.enqueue(new Uint8Array(part));
    controller.close();
  },
});
const reader = stream.getReader({ mode: "byob" });
const header = (await reader.read(new Uint8Array(4), { min: 4 })).value;
const length = new DataView(header.buffer).getUint32(0);
const body = (await reader.read(new Uint8Array(length), { min: length })).value;
console.log(length, new TextDecoder().decode(body));
