// The body of a response, changed on its way.
const handler = async (request) => new Response(
  request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  })).pipeThrough(new TextEncoderStream()),
  { status: 201 },
);
const body = ReadableStream.from(["slow ", "and ", "steady"]).pipeThrough(new TextEncoderStream());
const response = await handler(new Request("http://example.org", { method: "POST", body, duplex: "half" }));
console.log(response.status, await response.text());
