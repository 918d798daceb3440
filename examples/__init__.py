"""Programs that use webstreams; ``python -m examples.main_job`` is the one to begin with."""
