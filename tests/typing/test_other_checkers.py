"""pyrefly and ty infer what mypy and pyright do, but for the lines that are listed here with the reason.

docs/guides/typing.md tells users of these differences. The versions are pinned: a new one may need an entry less.
"""

from __future__ import annotations

import pytest

from .checkers import HERE, complaints_of

MAPPING = "a mapping with functions does not tell the type of the chunks: a class, or an annotation, does"
COUNTED = 'ReadableStream({"pull": pull}, CountQueuingStrategy(high_water_mark=3))'
LAMBDA = "the parameters of a lambda stay unknown where a method has several signatures"

# By checker, file and line, without the spaces around it.
LESS_EXACT: dict[str, dict[str, dict[str, str]]] = {
    "pyrefly": {
        "accepted.py": {
            "ReadableStream(Configured(pull_number_later)),": "a function in a slot of a class is taken for a method",
            "total += result.value": "does not narrow a named expression on an attribute of it",
        },
        "inferred.py": {
            'assert_type(ReadableStream({"pull": lambda controller: controller.enqueue(1)}), ReadableStream[Any])': (
                "is more exact than the others: takes the type from the call in the lambda"
            ),
            "assert_type(result.value, int)": "does not narrow a named expression on an attribute of it",
            "assert_type(result.value, None)": "does not narrow a named expression on an attribute of it",
            "assert_type(stream.pipe_through(TransformStream(ToText())), ReadableStream[str])": (
                "a generic pair that is made in the call is not solved"
            ),
            "assert_type(lengths, ReadableStream[int])": "a generic pair that is made in the call is not solved",
            "assert_type(text.pipe_through(lines()), ReadableStream[str])": (
                "a generic pair that is made in the call is not solved: use the method lines()"
            ),
            'assert_type(data.pipe_through(lines(keep_ends=True, newline="\\n")), ReadableStream[bytes])': (
                "a generic pair that is made in the call is not solved: use the method lines()"
            ),
            "assert_type(decoded, ReadableStream[str])": (
                "a generic pair that is made in the call is not solved: use the method lines()"
            ),
        },
    },
    "ty": {
        "accepted.py": {},
        "inferred.py": {
            'assert_type(ReadableStream({"pull": pull}), ReadableStream[int])': MAPPING,
            'assert_type(ReadableStream({"start": pull_later, "cancel": print}), ReadableStream[int])': MAPPING,
            "assert_type(" + COUNTED + ", ReadableStream[int])": MAPPING,
            'assert_type(ReadableStream({"pull": pull}, {"size": lambda chunk: chunk}), ReadableStream[int])': MAPPING,
            'assert_type(WritableStream({"write": write}), WritableStream[int])': MAPPING,
            'assert_type(WritableStream({"write": write_later}, {"high_water_mark": 3}), WritableStream[int])': MAPPING,
            'assert_type(TransformStream({"transform": to_text}), TransformStream[int, str])': MAPPING,
            'assert_type(TransformStream({"transform": to_length}), TransformStream[str, int])': MAPPING,
            'assert_type(TransformStream({"transform": to_length}, strategy, strategy), TransformStream[str, int])': (
                MAPPING
            ),
            "assert_type(ReadableStream.from_(each for each in (1, 2)), ReadableStream[int])": (
                "keeps the literals of a generator expression"
            ),
            "assert_type(transform.readable, ReadableStream[str])": MAPPING,
            "assert_type(transform.writable, WritableStream[int])": MAPPING,
            "assert_type(stream.pipe_through(transform), ReadableStream[str])": MAPPING,
            "assert_type(lengths, ReadableStream[int])": MAPPING,
            "assert_type(mixed.filter(lambda chunk: chunk != 1), ReadableStream[int | str])": LAMBDA,
            "assert_type(numbers.map(lambda number: number + 1), ReadableStream[int])": LAMBDA,
            "assert_type(numbers.reduce(lambda total, number: total + number, 0), Promise[int])": LAMBDA,
            "assert_type(pair.writable, WritableStream[int])": "a pair of several generic stages is not solved",
            "assert_type(messages.batched(7).map(Delivery.join), ReadableStream[Delivery[list[bytes]]])": (
                "a generic function that is given to a method is not solved"
            ),
        },
    },
}


@pytest.mark.parametrize("checker", LESS_EXACT)
@pytest.mark.parametrize("name", ["accepted.py", "inferred.py"])
def test_the_listed_lines_and_no_others_differ(name: str, checker: str) -> None:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    found = complaints_of(checker)[name]
    listed = LESS_EXACT[checker][name]
    unlisted = {line: messages for line, messages in found.items() if lines[line - 1].strip() not in listed}
    assert unlisted == {}, f"{checker} complains about lines of {name} that are not listed"
    assert listed.keys() - {lines[line - 1].strip() for line in found} == set(), "some are as exact as the others now"
