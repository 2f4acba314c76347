"""Settings of the file sink."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sinks.file.paths import PathTemplate
from sinks.settings import ByteSize, Seconds, SinkSettings


def _checked(text: str) -> str:
    PathTemplate(text)
    return text


class FileSettings(SinkSettings):
    """Where the files are, when one is closed, and what becomes of it then."""

    path: Annotated[str, AfterValidator(_checked)] = Field(
        description="Path of the files. Placeholders: {date}, {hour}, {app}, {tenant}, {event_type}, {sink}."
    )
    max_bytes: ByteSize = Field(default=256 << 20, description="A file is closed before it grows beyond; 0: never.")
    max_age_seconds: Seconds = Field(default=0.0, description="A file is closed at this age; 0: never.")
    idle_seconds: Seconds = Field(
        default=300.0, ge=1, description="A file not written to for so long is let go, and closed if its time is over."
    )
    compression: Literal["none", "gzip", "zstd"] = Field(default="none", description="What is done to closed files.")
    max_open_files: int = Field(default=256, ge=1, description="Files held open at once.")
    mode: str = Field(
        default="0640", pattern=r"^0?[67][0-7]{2}$", description="Permissions of the files, in octal digits."
    )

    @property
    def template(self) -> PathTemplate:
        """The parsed path."""
        return PathTemplate(self.path)

    @property
    def file_mode(self) -> int:
        """Permission bits of files."""
        return int(self.mode, 8)

    @property
    def folder_mode(self) -> int:
        """Permission bits of folders: whoever may read the files may enter."""
        return self.file_mode | 0o100 | (self.file_mode & 0o044) >> 2
