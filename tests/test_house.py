"""Project rules that no linter checks: import order, sizes, access to files, reasons for skips.

One test per rule lists every violating file. Tables of exceptions are strict: an unneeded entry
fails.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tflite_align.record import is_record

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "tflite_align"
MODULES = sorted(PACKAGE.rglob("*.py"))
OWN_SOURCES = [
    *MODULES,
    *sorted((CHECKOUT / "scripts").rglob("*.py")),
    *sorted((CHECKOUT / "tests").rglob("*.py")),
    CHECKOUT / "scripts" / "check",
]

FILE_LINES = 400
FUNCTION_LINES = 60

# The order of import, left to right: a room imports rooms of earlier tiers only.
TIERS = (
    ("errors", "interruption", "numerics", "record", "resources"),
    ("disk", "format", "verdicts"),
    ("rules",),
    ("checks", "verify"),
    ("solver",),
    ("certify", "repair", "settings"),
    ("report",),
    ("pipeline",),
    ("api", "store"),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
TIER = {room: tier for tier, rooms in enumerate(TIERS) for room in rooms}
MOST_ROOMS = 24
MOST_TIERS = 12

# Module -> why it may open files. Everything else is bytes in, bytes out.
FILE_DOORS = {
    "cli/main": "a standard output that is closed ends in the null device",
    "cli/streams": "a standard stream that the caller closed leads nowhere",
    "api/converting": "converters write into a folder that is made for them",
    "disk": "the only door to the disk for models and reports",
    "report/html/assets": "reads the page's scripts and style beside it",
    "resources": "finds schema/",
    "rules/store": "reads schema/",
}
VERIFY = "verify/"  # temporary files for judges that take paths only

# Outside library -> the rooms that may import it. `verify` does so inside functions.
LIBRARY_DOORS = {
    "ai_edge_litert": {"verify"},
    "ethosu": {"verify"},
    "highspy": {"solver"},
    "msgspec": {"record", "rules"},
    "pandas": {"report"},
    "tensorflow": {"verify"},
    "tflite_micro": {"verify"},
    "tosa_converter_for_tflite": {"verify"},
}
LAZY = {
    "ai_edge_litert", "ethosu", "highspy", "pandas", "tensorflow", "tflite_micro",
    "tosa_converter_for_tflite",
}  # fmt: skip

# Modules that the independent checker of certificates may import: none that makes certificates.
# It also imports modules of the package `tflite`, by name.
CHECKER = {
    "__future__", "collections.abc", "dataclasses", "fractions", "functools", "hashlib",
    "importlib", "math", "numpy", "re", "typing",
}  # fmt: skip
CHECKER_STATEMENTS = 740

# Functions that open, move or remove files, by their last name.
OPENERS = {
    "NamedTemporaryFile", "TemporaryDirectory", "fromfile", "memmap", "mkdir", "mkdtemp",
    "mkstemp", "mmap", "open", "read_bytes", "read_text", "rename", "rmtree", "tofile", "touch",
    "unlink", "write_bytes", "write_text",
}  # fmt: skip
# Names of the generated object API, which loses fields that it does not know: never used for OUT.
OBJECT_API = {"InitFromObj", "InitFromPackedBuf", "ModelT", "Pack", "schema_py_generated"}

# Made from parts, so that this file does not contain the words.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "root"))


def _name(path: Path) -> str:
    """A module's path in the package: `checker`, `verify/litert`; for a package's __init__.py the
    package's name.
    """
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def _room(path: Path) -> str:
    return _name(path).split("/")[0]


def _file(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """(dotted name, node) of each import, also inside functions; relative ones are resolved."""
    package = path.relative_to(CHECKOUT).with_suffix("").parts[:-1]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base == PACKAGE.name:
                yield from ((f"{base}.{alias.name}", node) for alias in node.names)
            else:
                yield base, node


def _rooms_imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports; importing a public name counts as room
    __init__.
    """
    rooms = set()
    for dotted, _ in _imports(path):
        head, *rest = dotted.split(".")
        if head == PACKAGE.name:
            rooms.add(rest[0] if rest and rest[0] in TIER else "__init__")
    return rooms - {_room(path)}


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr, node
            elif isinstance(function, ast.Name):
                yield function.id, node


def test_rooms_and_tiers_are_few() -> None:
    assert sorted(TIER) == sorted({_room(path) for path in MODULES}), "add the room to TIERS"
    assert len(TIER) <= MOST_ROOMS
    assert len(TIERS) <= MOST_TIERS


def test_a_room_imports_earlier_tiers_alone() -> None:
    wrong = [
        f"{_name(path)} imports {other}, which is not of an earlier tier"
        for path in MODULES
        for other in sorted(_rooms_imported(path))
        if TIER[other] >= TIER[_room(path)]
    ]
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count, too."""
    modules = {".".join([PACKAGE.name, *_name(path).split("/")]): path for path in MODULES}
    imported = {name: set[str]() for name in modules}
    for name, path in modules.items():
        for dotted, node in _imports(path):
            names = node.names if isinstance(node, ast.ImportFrom) else ()
            places = {dotted, *(f"{dotted}.{alias.name}" for alias in names)}
            imported[name] |= places & modules.keys() - {name}
    while leaves := {name for name, others in imported.items() if not others}:
        imported = {name: o - leaves for name, o in imported.items() if name not in leaves}
    assert sorted(imported) == []


def test_inside_the_package_imports_are_relative() -> None:
    absolute = [
        f"{_file(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom)
        if node.level == 0 and (node.module or "").split(".")[0] == PACKAGE.name
    ]
    assert absolute == []


def test_folders_import_nothing() -> None:
    """An empty __init__.py keeps start-up short: each name is imported from its own module.

    The package itself and `store` import their public names on first access.
    """
    public = {PACKAGE, PACKAGE / "store"}
    folders = [path for path in MODULES if path.name == "__init__.py" and path.parent not in public]
    assert [_name(path) for path in folders if len(_tree(path).body) != 1] == []


def test_file_names_and_class_names_are_given_once() -> None:
    files = Counter(path.name for path in MODULES if path.name != "__init__.py")
    classes = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in (files + classes).items() if count > 1] == []


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in OWN_SOURCES}
    long = [f"{_file(path)}: {count}" for path, count in lines.items() if count > FILE_LINES]
    assert long == [], "split it by what it does"


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{_file(path)}:{node.lineno}: {node.name}, {count} lines"
        for path in OWN_SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for count in [(node.end_lineno or node.lineno) - node.lineno + 1]
        if count > FUNCTION_LINES
    ]
    assert long == []


def _opens(path: Path) -> list[str]:
    calls = [(name, call) for name, call in _calls(_tree(path)) if name in OPENERS]
    return [f"{_file(path)}:{call.lineno}: {name}" for name, call in calls]


def test_files_are_opened_by_their_doors_alone() -> None:
    others = [path for path in MODULES if not _name(path).startswith(VERIFY)]
    opened = [line for path in others if _name(path) not in FILE_DOORS for line in _opens(path)]
    assert opened == []


def test_file_doors_are_needed() -> None:
    present = {_name(path): path for path in MODULES if _name(path) in FILE_DOORS}
    # `resources` only tests whether a folder exists.
    shut = [name for name, path in present.items() if name != "resources" and not _opens(path)]
    assert shut == []


def test_a_library_is_imported_by_its_rooms_alone() -> None:
    imports = [(path, *found) for path in MODULES for found in _imports(path)]
    elsewhere = [
        f"{_file(path)}: imports {dotted}"
        for path, dotted, _ in imports
        if _room(path) not in LIBRARY_DOORS.get(dotted.split(".")[0], {_room(path)})
    ]
    assert elsewhere == []


def _checker() -> list[Path]:
    return [path for path in MODULES if _name(path).startswith("certify/check")]


def test_the_checker_imports_nothing_that_it_checks() -> None:
    own = {_name(path).replace("/", ".") for path in _checker()}
    functions = f"{PACKAGE.name}.certify.functions"
    wrong = [
        f"{_file(path)}: imports {dotted}"
        for path in _checker()
        for dotted, _ in _imports(path)
        if dotted not in CHECKER
        and dotted.removeprefix(f"{PACKAGE.name}.") not in own
        and not dotted.startswith(f"{functions}.")
    ]
    assert wrong == []


def test_the_functions_of_kernels_import_nothing_else_of_the_package() -> None:
    functions = [path for path in MODULES if _name(path).startswith("certify/functions")]
    inside = f"{PACKAGE.name}.certify.functions"
    wrong = [
        f"{_file(path)}: imports {dotted}"
        for path in functions
        for dotted, _ in _imports(path)
        if dotted.startswith(PACKAGE.name) and not dotted.startswith(inside)
    ]
    assert wrong == []


def test_the_checker_is_small() -> None:
    """The limit counts statements without imports and docstrings, whatever number of lines they
    have.
    """
    assert sum(map(_statements, _checker())) <= CHECKER_STATEMENTS


def _statements(path: Path) -> int:
    nodes = list(ast.walk(_tree(path)))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = sum(isinstance(n, kinds) and ast.get_docstring(n) is not None for n in nodes)
    code = [n for n in nodes if not isinstance(n, (ast.Import, ast.ImportFrom))]
    return sum(isinstance(n, (ast.stmt, ast.ExceptHandler)) for n in code) - docs


def test_a_heavy_library_is_imported_when_it_is_used() -> None:
    early = [
        f"{_file(path)}: imports {dotted}"
        for path in MODULES
        for dotted, node in _imports(path)
        if dotted.split(".")[0] in LAZY and node in _tree(path).body
    ]
    assert early == []


def _words(path: Path) -> Iterator[str]:
    """Every name that a module uses, assigns or imports."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)


def test_the_object_api_is_for_twins_alone() -> None:
    """Verification may build float twins with the object API; written files are never packed with
    it.
    """
    others = [path for path in MODULES if _room(path) != "verify"]
    wrong = [f"{_file(path)}: {name}" for path in others for name in {*_words(path)} & OBJECT_API]
    assert sorted(wrong) == []


def _tracked() -> list[Path]:
    """Files in git and new ones that are not ignored; without git (in an sdist) every file."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [path for path in CHECKOUT.rglob("*") if path.is_file()]
    paths = (CHECKOUT / name for name in run.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_path_of_one_machine() -> None:
    found: list[str] = []
    for path in _tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue  # not text
        lines = data.decode("utf-8", errors="replace").splitlines()
        found += [
            f"{path.relative_to(CHECKOUT)}:{number}"
            for number, line in enumerate(lines, 1)
            if any(machine in line for machine in MACHINE_PATHS)
        ]
    assert found == []


def _says_why(name: str, call: ast.Call) -> bool:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    positional = call.args[0] if name == "skip" and call.args else None
    reason = keywords.get("reason", positional)
    return reason is not None and getattr(reason, "value", "says") != ""


SKIPS = {"skip", "skipif", "xfail", "importorskip", "skipTest"}


def _silent_skips(path: Path) -> Iterator[int]:
    """Line numbers of skips that give no reason."""
    calls = list(_calls(_tree(path)))
    yield from (call.lineno for name, call in calls if name in SKIPS and not _says_why(name, call))
    called = {id(call.func) for _, call in calls}
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in SKIPS and id(node) not in called:
            yield node.lineno


def test_every_skip_says_why() -> None:
    tests = sorted((CHECKOUT / "tests").rglob("*.py"))
    assert [f"{_file(path)}:{line}" for path in tests for line in _silent_skips(path)] == []


def test_every_record_shows_its_signature() -> None:
    """Notebooks and editors show signatures, for which every annotation must be importable."""
    for path in [path for path in MODULES if path.stem not in {"__init__", "__main__"}]:
        module = importlib.import_module(f"tflite_align.{_name(path).replace('/', '.')}")
        for kind in vars(module).values():
            if isinstance(kind, type) and is_record(kind) and kind.__module__ == module.__name__:
                assert inspect.signature(kind) is not None
