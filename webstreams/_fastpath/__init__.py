"""Fast paths of pipelines: what repeats itself chunk after chunk is done without the jobs between the callbacks.

While pipelines run steadily, each chunk takes the same jobs, and all that can be seen of them are the callbacks of
their ends and transformers. So the plain path is watched for some periods (`recording`). If the whole state, the job
queue included, is the same at the begin of two periods but for the chunks in it, the state machine will go on like
that for as long as every callback behaves as it did. From then on only the callbacks are called (`run`). As soon as
one of them does something else, or anything else looks at a stream, the state is put where the plain path would have
it at this very callback (`replaying` finds it out, `snapshot` puts it back), and the plain path goes on. When all this
is tried is decided in `entry`.
"""
