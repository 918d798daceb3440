// Two readers of one stream.
const [one, other] = ReadableStream.from(["a", "b"]).tee();
console.log(await Promise.all([Array.fromAsync(one), Array.fromAsync(other)]).then(JSON.stringify));
