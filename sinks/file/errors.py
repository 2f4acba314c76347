"""What an error of the file system means for the sink, told by its number."""

import errno

from sinks.contract import Unavailable


class UnfitFileError(Exception):
    """What stands at a file's path can't be written to as one of ours. `reason` is a word for metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


_OF_THE_DISK = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "quota_exceeded",
    errno.EROFS: "read_only",
    errno.EIO: "disk_error",
    errno.EMFILE: "too_many_open_files",
    errno.ENFILE: "too_many_open_files",
    errno.ESTALE: "disk_gone",
    errno.ENODEV: "disk_gone",
}
_OF_THE_FILE = {
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EISDIR: "in_the_way",
    errno.ENOTDIR: "in_the_way",
    errno.ENXIO: "in_the_way",
    errno.ELOOP: "symbolic_link",
    errno.ENAMETOOLONG: "name_too_long",
    errno.EFBIG: "file_too_large",
}


def reason_of(error: OSError) -> str:
    """A short word for metrics."""
    number = error.errno or 0
    known = _OF_THE_DISK.get(number) or _OF_THE_FILE.get(number)
    return known or errno.errorcode.get(number, "os_error").lower()


def words_of(error: OSError) -> str:
    """The system's own words."""
    return error.strerror or repr(error)


def unavailable(error: OSError | UnfitFileError, path: str, scope: str) -> Unavailable:
    """The file at `path` can't be written: of the file alone (`scope`), or of the whole sink when the disk is the cause."""
    if isinstance(error, UnfitFileError):
        return Unavailable(error.reason, f"{path}: {error}", scope=scope)
    alone = error.errno in _OF_THE_FILE
    return Unavailable(reason_of(error), f"{path}: {words_of(error)}", scope=scope if alone else "")
