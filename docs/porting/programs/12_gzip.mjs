// Compress and decompress.
const text = "tea ".repeat(1000);
const packed = ReadableStream.from([text])
  .pipeThrough(new TextEncoderStream())
  .pipeThrough(new CompressionStream("gzip"));
const bytes = await new Response(packed).bytes();
console.log(bytes.length < 100);
const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
console.log((await new Response(unpacked).text()) === text);
