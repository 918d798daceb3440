"""Chapter 4: readable streams. A chunk goes from the source to the controller, its queue, and a reader."""
