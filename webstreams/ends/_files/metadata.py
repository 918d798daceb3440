"""What a new file takes over from the one that it replaces: owner, permissions, access control list, attributes.

The rule: nobody may do with the new file what they may not do with the old one.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

ACCESS_LIST: Final = "system.posix_acl_access"


def take_over(descriptor: int, path: str, old: os.stat_result, new: os.stat_result) -> None:
    """Copy owner, permissions and attributes of the file at `path` to a new file, as far as the system allows it.

    `old` and `new` are what the system has said of the two.
    """
    if not hasattr(os, "fchown"):
        return
    permissions = stat.S_IMODE(old.st_mode)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        permissions = _take_over_owner(descriptor, old, new, permissions)
    if hasattr(os, "listxattr") and not _take_over_attributes(descriptor, path):
        permissions &= ~0o070  # these bits were the most that the list allowed, not what the group may do
    os.fchmod(descriptor, permissions)


def _take_over_owner(descriptor: int, old: os.stat_result, new: os.stat_result, permissions: int) -> int:
    """Change the owner and the group; return the permissions that may be given after that."""
    with suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
        return permissions
    permissions &= 0o777  # nothing may run as somebody else than before
    if new.st_gid != old.st_gid:
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except PermissionError:  # another group, and the members of the old one are others now
            both = (permissions >> 3) & permissions & 0o007
            return permissions & 0o700 | both << 3 | both
    return permissions


def _take_over_attributes(descriptor: int, path: str) -> bool:
    """Copy the extended attributes; return whether there is the same access control list, or none, after that."""
    names = _attributes(path)
    if ACCESS_LIST not in names and ACCESS_LIST in _attributes(descriptor):
        os.removexattr(descriptor, ACCESS_LIST)  # the default of the directory
    has_failed = False
    for name in names:
        try:
            os.setxattr(descriptor, name, os.getxattr(path, name))
        except OSError:  # one of the system's own, which we may not set
            has_failed |= name == ACCESS_LIST
    return not has_failed


def _attributes(file: int | str) -> list[str]:
    try:
        return os.listxattr(file)
    except OSError:  # a file system without attributes
        return []
