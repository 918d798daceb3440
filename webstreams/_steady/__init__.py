"""Fast paths of pipelines: what repeats itself chunk after chunk is done without the jobs between the callbacks.

While a pipeline runs steadily, each chunk takes the same jobs, and all that can be seen of them are the callbacks of
its ends and transformers. So the plain path is watched for two periods (`recording`). If the whole state, the job
queue included, is the same at the begin of two periods but for the chunks in it, the state machine will go on like
that for as long as every callback behaves as it did. From then on only the callbacks are called (`run`). As soon as
one of them does something else, or anything else looks at the pipeline, the state is put where the plain path would
have it at this very callback (`snapshot`), and the plain path goes on.
"""
