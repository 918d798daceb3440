"""Several streams at once: joined, shared, fed by a task, and put together as Node's functions do."""
