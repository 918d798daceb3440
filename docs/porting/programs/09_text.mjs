// Bytes to text; a character is cut in two.
const pieces = [[0x63, 0x61, 0x66, 0xc3], [0xa9, 0x21]].map((bytes) => new Uint8Array(bytes));
let text = "";
for await (const piece of ReadableStream.from(pieces).pipeThrough(new TextDecoderStream())) text += piece;
console.log(text);
