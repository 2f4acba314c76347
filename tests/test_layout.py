"""Keeps the layout: which way imports point, how large things get, and that each module has its tests."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("router", "sinks") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OTHERS = sorted(path for folder in ("benchmarks", "examples", "scripts") for path in (ROOT / folder).rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 7

# What a part may import of this project, besides itself. Who isn't listed may import anything: the composition root,
# the commands, the command line.
MAY_IMPORT = {
    "router.envelope": (),
    "router.clock": (),
    "router.feishu": ("router.envelope",),
    "router.telemetry": ("router.clock",),
    "router.settings": ("sinks.contract", "sinks.registry", "sinks.settings"),
    "router.journal": ("router.clock", "router.envelope", "router.settings", "router.telemetry"),
    "router.ingress": (
        "router.clock",
        "router.envelope",
        "router.feishu",
        "router.journal.contract",
        "router.settings",
        "router.telemetry",
    ),
    "router.dispatch": (
        "router.clock",
        "router.envelope",
        "router.journal.contract",
        "router.settings",
        "router.telemetry",
        "sinks.contract",
        "sinks.settings",
    ),
    "router.operations": (
        "router.clock",
        "router.dispatch",
        "router.envelope",
        "router.feishu",
        "router.ingress.long_connection.status",
        "router.journal.contract",
        "router.settings",
        "router.subscribers.status",
        "router.telemetry",
        "sinks.contract",
        "sinks.settings",
    ),
    "router.rotation": (
        "router.admin.server",
        "router.clock",
        "router.ingress.long_connection",
        "router.ingress.tls",
        "router.ingress.webhook",
        "router.settings",
        "router.subscribers.server",
        "router.telemetry",
        "sinks.probe",
        "sinks.settings",
    ),
    "router.lifecycle": ("router.clock", "router.settings", "router.telemetry"),
    "router.admin": (
        "router.clock",
        "router.ingress.connection",
        "router.ingress.server",
        "router.journal.contract",
        "router.operations.contract",
        "router.settings",
        "router.telemetry",
        "sinks.settings",
    ),
    "router.simulator": (
        "router.admin.browsers",
        "router.clock",
        "router.feishu",
        "router.ingress.long_connection.failures",
        "router.ingress.plain",
        "router.settings.address",
    ),
    "router.subscribers": (
        "router.clock",
        "router.feishu",
        "router.ingress.body",
        "router.ingress.client_address",
        "router.ingress.connection",
        "router.ingress.server",
        "router.ingress.tls",
        "router.settings",
        "router.telemetry",
        "sinks.feishu_ws.line",
        "sinks.feishu_ws.pool",
    ),
    "sinks": ("router.clock", "router.envelope", "router.feishu"),
}
CONCRETE = (
    "sinks.kafka",
    "sinks.http",
    "sinks.feishu_ws",
    "sinks.file",
    "sinks.stdout",
    "sinks.memory",
    "router.journal.sqlite",
)
SHARED = ("sinks.feishu_ws.line", "sinks.feishu_ws.pool")  # with router.subscribers, the port of that sink
IO = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "http",
    "multiprocessing",
    "pathlib",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "urllib.request",
}
NOT_IN_SINKS = {"logging", "prometheus_client", "structlog"}  # the lane logs, measures and retries, for all sinks alike

# Modules whose tests stand under another name, because what matters is what they do together.
LANE, KAFKA = "tests/dispatch/test_lane.py", "tests/sinks/kafka/test_sink.py"
TESTED_BY = {
    # the parts of one lane: order, parking and settling are promises of the whole
    **{
        f"router/dispatch/{part}.py": LANE
        for part in ("entry", "holds", "judge", "ledger", "outage", "parking", "queue", "source", "window")
    },
    "router/dispatch/backoff.py": LANE,
    "router/dispatch/errand.py": "tests/dispatch/test_replays.py",
    "router/ingress/long_connection/tools.py": "tests/ingress/long_connection/test_session.py",
    # shapes that others fill
    "router/feishu/results.py": "tests/feishu/test_callback.py",
    "router/journal/contract.py": "tests/journal/test_sqlite.py",
    "sinks/contract.py": "tests/contracts/test_sinks.py",
    # against a real broker, as a whole
    **{f"sinks/kafka/{part}.py": KAFKA for part in ("__init__", "channel", "delivery", "errors", "producer")},
    # what becomes of an event that is damaged on its way is seen at the other end
    **{f"router/simulator/{part}.py": "tests/simulator/test_long_connection.py" for part in ("connection", "damage")},
    "sinks/file/sync.py": "tests/sinks/file/test_writer.py",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Everything imported, also inside functions; `from a import b` gives `a.b`, which may be a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def below(name: str, *parts: str) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)


def test_imports_point_one_way() -> None:
    wrong = [
        f"{name_of(path)} imports {imported}"
        for path in SOURCES
        for part, allowed in MAY_IMPORT.items()
        if below(name_of(path), part)
        for imported in imports_of(path)
        if below(imported, "router", "sinks") and not below(imported, part, *allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_composition_root_and_the_registry_name_concrete_classes() -> None:
    wrong = [
        f"{name_of(path)} imports {imported}"
        for path in SOURCES
        if name_of(path) not in ("router.app", "sinks.registry")
        for imported in imports_of(path)
        for concrete in CONCRETE
        if below(imported, concrete) and not below(name_of(path), concrete)
        if not (below(imported, *SHARED) and below(name_of(path), "router.subscribers"))
    ]
    assert not wrong, "\n".join(wrong)


def test_what_feishu_says_is_read_without_io() -> None:
    pure = [path for path in SOURCES if below(name_of(path), "router.feishu", "router.envelope")]
    wrong = [f"{name_of(path)} imports {name}" for path in pure for name in imports_of(path) if below(name, *IO)]
    assert len(pure) > 5
    assert not wrong, "\n".join(wrong)


def test_sinks_leave_logs_and_metrics_to_the_lane() -> None:
    sinks = [path for path in SOURCES if below(name_of(path), "sinks")]
    wrong = [
        f"{name_of(path)} imports {name}" for path in sinks for name in imports_of(path) if below(name, *NOT_IN_SINKS)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_router_without_kafka_or_http_sinks_loads_neither_client() -> None:
    code = "import sys; from router.settings import load; load({}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env={"PATH": ""}
    )
    assert not {"aiokafka", "aiohttp", "cramjam", "sinks.kafka", "sinks.http"} & set(done.stdout.split())


def test_nothing_is_printed_but_through_click() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("path", [*SOURCES, *TESTS, *OTHERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= FILE_LINES, f"{lines} lines; at most {FILE_LINES}"
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions_of(path) if f.end_lineno}
    assert max(long.values(), default=0) <= FUNCTION_LINES, max(long, key=long.__getitem__)
    if path in SOURCES:
        wide = {f.name for f in functions_of(path) if len(_parameters(f.args)) > PARAMETERS}
        assert not wide, f"more than {PARAMETERS} parameters: {wide}"


def _parameters(args: ast.arguments) -> list[ast.arg]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return [arg for arg in every if arg.arg not in ("self", "cls")]


def has_logic(path: Path) -> bool:
    """Whether any function does more than declare: a docstring, an ellipsis or a raise is no logic."""
    return any(
        not isinstance(statement, ast.Expr | ast.Pass | ast.Raise) for f in functions_of(path) for statement in f.body
    )


@pytest.mark.parametrize("path", [path for path in SOURCES if has_logic(path)], ids=name_of)
def test_each_module_with_logic_has_its_tests(path: Path) -> None:
    inside = path.relative_to(ROOT)
    folder = Path(*inside.parts[1:-1]) if inside.parts[0] == "router" else inside.parent
    stem = folder.name if inside.stem == "__init__" else inside.stem
    mirrored = Path("tests") / folder / f"test_{stem}.py"
    place = mirrored if (ROOT / mirrored).exists() else Path(TESTED_BY.get(str(inside), mirrored))
    assert (ROOT / place).exists(), f"{place} is missing"


def test_no_exception_outlives_its_module() -> None:
    assert not [module for module in TESTED_BY if not (ROOT / module).exists()]
