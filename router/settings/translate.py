"""pydantic's errors → faults: the variable's name, and a message that needs no knowledge of Python."""

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from router.settings.environment import Environment
from router.settings.faults import did_you_mean
from router.settings.names import Leaf, join, section_of
from sinks.settings import Section

_WITH_PASSWORD = re.compile(r"://[^/\s]*@")
SHORTEST_SECRET = 4
"""Characters by which one can be told from a word."""
_WORDS = {
    "missing": "is not set, and must be",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite_number": "must be a number",
    "bool": "must be true or false",
    "decimal": "must be a number",
    "string_pattern_mismatch": "is not of the form that it must have: {pattern}",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "url_scheme": "must begin with {expected_schemes} and ://",
    "url": "must be a URL such as https://host.example/path",
    "path": "must be a path",
    "path_not_file": "names a file that does not exist",
    "path_not_directory": "names a directory that does not exist",
    "extra_forbidden": "is not known",
}


def report(error: ValidationError, model: type[Section], prefix: str, leaves: Sequence[Leaf], env: Environment) -> None:
    """Put every error of one settings class on the environment's list of faults."""
    unread = any(leaf.variable in env.faulty for leaf in leaves)
    hidden = [env.raw(leaf.variable) for leaf in leaves if leaf.secret or _WITH_PASSWORD.search(env.raw(leaf.variable))]
    for details in error.errors(include_url=False, include_input=False):
        variable, annotation = _locate(model, prefix, details["loc"])
        if variable in env.faulty or (unread and variable.endswith("__*")):
            continue  # said already; or about several settings together, of which one couldn't be read
        suggestion = did_you_mean(env.raw(variable), _choices(annotation))
        env.blame(variable, _without(_words(details), hidden), suggestion)


def _locate(model: type[Section], prefix: str, loc: Sequence[str | int]) -> tuple[str, Any]:
    """The variable that an error is about, and its type; an error of a whole section gives `PREFIX__*`."""
    variable, section, annotation = prefix, model, None
    for part in loc:
        if not isinstance(part, str) or part not in section.model_fields:
            break
        annotation = section.model_fields[part].annotation
        variable = join(variable, part)
        inner = section_of(annotation)
        if inner is None:
            return variable, annotation
        section = inner
    return join(variable, "*"), None


def _words(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if isinstance(context.get("error"), Exception):
        return str(context["error"])
    kind = details["type"]
    template = _WORDS.get(kind) or _WORDS.get(kind.split("_")[0])
    if template is None:
        return details["msg"].replace("Input should", "must").replace("Input is not", "must be")
    return template.format(**{name: _plain(value) for name, value in context.items()})


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("'", "")


def _choices(annotation: Any) -> list[str]:
    return [choice for choice in get_args(annotation) if isinstance(choice, str)]


def _without(message: str, hidden: Sequence[str]) -> str:
    """The message, unless it quotes a secret: then one that doesn't. A short one may well be a word of ours, or within one."""
    pieces = {line.strip() for text in hidden for line in (text, *text.splitlines())}
    long = [re.escape(piece) for piece in pieces if len(piece) >= SHORTEST_SECRET]
    quoted = any(re.search(rf"(?<!\w){piece}(?!\w)", message) for piece in long)
    return "has a value that is not allowed (not shown here)" if quoted else message
