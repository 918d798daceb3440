"""Objects that are known without being kept alive."""

from __future__ import annotations

from webstreams._platform.weak_group import WeakGroup


class Thing:
    """Something that comes and goes."""


def test_a_group_keeps_nothing_alive() -> None:
    group, things = WeakGroup(), [Thing() for _ in range(3)]
    for thing in things:
        group.add(thing)
        group.add(thing)
    del thing
    assert len(group) == 3 and set(group) == set(things)
    group.discard(things[0])
    group.discard(Thing())
    assert set(group) == set(things[1:])
    seen = 0
    for each in group:
        seen += 1
        del each
        things.clear()
    assert seen == 1 and len(group) == 0
