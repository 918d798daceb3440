// The ends that the scenarios share; scenarios/parts.py has the same ones, line by line.

export class Source {
  constructor(chunks) {
    this.chunks = chunks;
    this.sent = 0;
  }

  pull(controller) {
    if (this.sent === this.chunks) {
      controller.close();
    } else {
      controller.enqueue(this.sent);
      this.sent += 1;
    }
  }
}

export class CoroutineSource extends Source {
  async pull(controller) {
    if (this.sent === this.chunks) {
      controller.close();
    } else {
      controller.enqueue(this.sent);
      this.sent += 1;
    }
  }
}

export class FilledSource {
  constructor(chunks) {
    this.chunks = chunks;
  }

  start(controller) {
    for (let number = 0; number < this.chunks; number += 1) {
      controller.enqueue(number);
    }
    controller.close();
  }
}

export class Sink {
  arrived = 0;

  write(chunk, controller) {
    this.arrived += 1;
  }
}

export class CoroutineSink extends Sink {
  async write(chunk, controller) {
    this.arrived += 1;
  }
}

export class Mapping {
  transform(chunk, controller) {
    controller.enqueue(chunk + 1);
  }
}

export class CoroutineMapping {
  async transform(chunk, controller) {
    controller.enqueue(chunk + 1);
  }
}

export function* numbers(chunks) {
  let number = 0;
  while (number < chunks) {
    yield number;
    number += 1;
  }
}

export async function readAll(reader) {
  let arrived = 0;
  while (!(await reader.read()).done) {
    arrived += 1;
  }
  return arrived;
}

export async function iterate(stream) {
  let arrived = 0;
  for await (const _ of stream) {
    arrived += 1;
  }
  return arrived;
}
