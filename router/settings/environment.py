"""FER_ variables → trees of text that settings classes are validated from, and what is wrong with the variables themselves."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from router.settings.faults import Fault
from router.settings.files import ValueFileError, fingerprint
from router.settings.names import NAME, NAME_RULE, PREFIX, Leaf

Tree = dict[str, Any]


class Environment:
    """The FER_ variables of one environment, read setting by setting.

    A variable that is empty, or holds only white space, counts as not set: templates of Compose and Kubernetes leave
    such ones behind. `faults` collects what is wrong with the variables; which setting a fault is about is remembered,
    so that a setting whose file can't be read isn't reported as missing too. The same goes for the variables named by
    `unread`: they are there, but what they say isn't known. `files` are the paths that were read, or should have been;
    `contents` the fingerprints of those that settings only name, such as certificates, by variable.
    """

    def __init__(
        self, environ: Mapping[str, str], read_file: Callable[[str], str], unread: Collection[str] = ()
    ) -> None:
        self._values = {name: value for name, value in environ.items() if name.startswith(PREFIX + "_")}
        self._read_file = read_file
        self._unread = unread
        self._known: set[str] = set()
        self._origin: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.faulty: set[str] = set()
        self.files: set[str] = set()
        self.contents: dict[str, str] = {}

    def tree(self, leaves: Iterable[Leaf]) -> Tree:
        """The texts of those settings that are set, nested like the settings class."""
        tree: Tree = {}
        leaves = list(leaves)
        own = {leaf.variable for leaf in leaves}
        for leaf in leaves:
            text = self.text(leaf.variable, "" if leaf.from_file in own else leaf.from_file)
            if text is not None:
                _put(tree, leaf.path, text)
                self._check_path(leaf, text)
        return tree

    def _check_path(self, leaf: Leaf, text: str) -> None:
        if leaf.names_file:
            self.files.add(text)
            try:
                self.contents[leaf.variable] = fingerprint(text)
            except ValueFileError as error:
                self.blame(leaf.variable, str(error))

    def text(self, variable: str, from_file: str) -> str | None:
        """A setting's text, from its variable or from the file that the other variable names; None when not set."""
        self._known |= {variable, from_file} - {""}
        if variable in self._unread or from_file in self._unread:
            self.faulty.add(variable)
            return None
        plain, path = self._values.get(variable, ""), self._values.get(from_file, "")
        if plain.strip() and path.strip():
            self.blame(variable, f"is set together with {from_file}", f"unset {variable} or {from_file}")
            return None
        if path.strip():
            return self._text_of_file(variable, from_file, path)
        if not plain.strip():
            return None
        self._texts[variable] = plain
        return plain

    def _text_of_file(self, variable: str, from_file: str, path: str) -> str | None:
        self._origin[variable] = from_file
        self.files.add(path)
        try:
            self._texts[variable] = self._read_file(path)
        except ValueFileError as error:
            self.blame(variable, str(error))
            return None
        return self._texts[variable]

    def names(self, variable: str) -> list[str] | None:
        """The names that a list such as FER_SINKS declares, each once and well-formed; None when it isn't set."""
        text = self.text(variable, variable + "_FILE")
        if text is None:
            return [] if variable in self.faulty else None
        named = [name.strip() for name in text.replace("\n", ",").split(",") if name.strip()]
        if not named:
            self.blame(variable, "names nothing", f"unset {variable}, or write names: a,b")
        for name in sorted({name for name in named if named.count(name) > 1}):
            self.blame(variable, f"names {name} more than once")
        for name in named:
            if not NAME.fullmatch(name):
                self.blame(variable, f"has the name {name!r}; {NAME_RULE}", _mended(name))
        return [name for name in dict.fromkeys(named) if NAME.fullmatch(name)]

    def blame(self, variable: str, problem: str, suggestion: str = "") -> None:
        """Report a fault of a setting, under the name of the variable that was really set."""
        self.faulty.add(variable)
        self.faults.append(Fault(self._origin.get(variable, variable), problem, suggestion))

    def raw(self, variable: str) -> str:
        """A setting's text as it was read, "" when it wasn't."""
        return self._texts.get(variable, "")

    def below(self, prefix: str) -> list[str]:
        """The variables that are there, empty ones included, whose names begin so."""
        return sorted(name for name in self._values if name.startswith(prefix))

    def know(self, variable: str) -> None:
        """Take a variable as explained: it won't be reported as unknown."""
        self._known.add(variable)

    def known(self, prefix: str = "") -> list[str]:
        """All names that were asked for and begin so."""
        return sorted(name for name in self._known if name.startswith(prefix))

    def unknown(self) -> list[str]:
        """The variables that no setting asked for."""
        return sorted(set(self._values) - self._known)


def _put(tree: Tree, path: tuple[str, ...], text: str) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = text


def _mended(name: str) -> str:
    words = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower()).split("_")
    better = "_".join(word for word in words if word)
    return f"did you mean {better}?" if better else ""
