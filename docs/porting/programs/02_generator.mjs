// A generator as a source; leaving the loop closes it.
async function* count() {
  try {
    for (let number = 1; ; number++) yield number;
  } finally {
    console.log("closed");
  }
}

for await (const number of ReadableStream.from(count())) {
  console.log(number);
  if (number === 3) break;
}
