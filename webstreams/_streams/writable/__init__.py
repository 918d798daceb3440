"""Chapter 5: writable streams. A chunk goes from a writer to the controller, its queue, and the sink."""
