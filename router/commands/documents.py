"""Which events a command pushes: samples of types, or what a file holds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from router.feishu import samples
from router.feishu.catalogue import known
from router.feishu.numbers import load_exactly

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def document_options(function: Decorated) -> Decorated:
    """`--type` and `--file`: the command gets `types` and `file`, for `documents`."""
    types = click.option(
        "--type", "types", multiple=True, metavar="TYPE", help="Event type; may be given more than once."
    )
    file = click.option(
        "--file",
        "file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A push as JSON (a list of them, or one a line) to send instead of samples, with an id and a time of its own each "
        "time; with one --type, a bare event.",
    )
    return types(file(function))


def documents(types: Sequence[str], file: Path | None) -> list[dict[str, Any]]:
    """The pushes that were asked for, without token; by default one of each of five types. Raises click.UsageError."""
    if not all(type_.strip() for type_ in types):
        raise click.UsageError("--type is empty; it must be an event type such as contact.user.created_v3")
    if file is None:
        for type_ in types:
            if not known(type_):
                click.echo(f"Note: {type_} is not a type that we know; an empty event is sent.", err=True)
        return [samples.sample(type_) for type_ in types or samples.seed_types()]
    found = _read(file)
    if not found or not all(isinstance(document, dict) for document in found):
        raise click.UsageError(f"{file} must hold a JSON object, a list of them, or one a line")
    if not types and not all(samples.named(document)[0] for document in found):
        raise click.UsageError(
            f"{file} holds no push: it has neither header.event_type nor event.type. "
            "For a bare event, say with --type which it is"
        )
    if not types:
        return found
    if len(types) > 1:
        raise click.UsageError("with --file, at most one --type")
    return [samples.sample(types[0]) | {"event": document} for document in found]


def _read(file: Path) -> list[Any]:
    """What it holds: a list's items, or one document a line as `listen --json` prints them. Raises click.UsageError."""
    content = file.read_bytes()
    try:
        read = load_exactly(content)
    except ValueError as error:
        try:
            return [load_exactly(line) for line in content.splitlines() if line.strip()]
        except ValueError:
            raise click.UsageError(f"{file} is no JSON: {error}") from None
    return read if isinstance(read, list) else [read]
