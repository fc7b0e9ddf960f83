"""What holds for the project as a whole: its walls, its documents, its commands."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import cli
from engine.solvers import solver_infos

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Modules a file imports, and whether it does so when it is loaded itself."""

    def walk(node: ast.AST, loaded: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((name.name, loaded) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.module or "", loaded
                yield from ((f"{child.module}.{name.name}", loaded) for name in child.names)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from walk(child, False)
            elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
                yield from walk(child, loaded)

    yield from walk(ast.parse(path.read_text()), True)


# --- walls that import-linter can't see ----------------------------------------------------------


def test_the_window_reads_what_there_is_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from engine.catalogue import read_catalogue\n"
        "catalogue = read_catalogue()\n"
        "assert {'genie', 'ddim'} <= {s.name for s in catalogue.solvers}\n"
        "heavy = {'torch', 'numpy', 'PIL', 'safetensors', 'PySide6'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_module_of_the_application_imports_torch_when_loaded() -> None:
    heavy = ("torch", "engine.tasks", "engine.networks", "engine.flow", "engine.schedule", "diffusers")
    found = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources("app")
        for module, loaded in imports(path)
        if loaded and any(module == h or module.startswith(f"{h}.") for h in heavy)
    ]
    assert not found


def test_models_and_store_know_no_widgets() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources("app/models", "app/store")
        for module, _ in imports(path)
        if module.startswith("PySide6.") and not module.startswith("PySide6.QtCore")
    ]
    assert not found


def test_solvers_are_arithmetic_on_their_arguments() -> None:
    allowed = ("__future__", "collections", "dataclasses", "functools", "importlib", "itertools", "math",
               "pkgutil", "types", "typing", "engine.messages", "engine.solvers")  # fmt: skip
    found = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources("engine/solvers")
        for module, _ in imports(path)
        if not any(module == a or module.startswith(f"{a}.") for a in allowed)
    ]
    assert not found


def test_nothing_is_unpickled() -> None:
    found = []
    for path in sources("app", "engine", "tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "torch.load",
                "pickle.load",
                "pickle.loads",
            ):
                safe = any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
                found += [] if safe else [f"{path.relative_to(ROOT)}:{node.lineno}"]
    assert not found


def test_files_stay_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources("app", "engine")
        if (lines := len(path.read_text().splitlines())) > 600
    }
    assert not long


def test_test_modules_have_unique_names() -> None:
    names = [path.name for path in sources("tests") if path.name.startswith(("test_", "bench_"))]
    assert len(names) == len(set(names))


# --- documents -----------------------------------------------------------------------------------


def code_lines(document: str) -> list[str]:
    """The lines inside ``` fences."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_named_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(code_lines(document))))
    named |= set(re.findall(r"`make ([a-z-]+)", (ROOT / document).read_text()))
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_genie_command_shown_can_be_parsed(document: str) -> None:
    import shlex

    from engine.cli.command import make_parser
    from engine.cli.entry import COMMANDS

    parsers = {command.name: make_parser(command) for command in COMMANDS}
    shown = [shlex.split(line, comments=True) for line in code_lines(document) if line.startswith("genie ")]
    if document == "README.md":
        assert {"generate", "models"} <= {words[1] for words in shown}
    for words in shown:
        if words[1] == "tour":  # the window's own
            continue
        assert words[1] in parsers, words
        parsers[words[1]].parse_args(words[2:])


@pytest.mark.parametrize("command", cli.entry.COMMANDS, ids=lambda c: c.name)
def test_every_example_in_the_help_can_be_parsed(command: cli.Command) -> None:
    import shlex

    from engine.cli.command import make_parser

    words = shlex.split(command.example)
    assert words[:2] == ["genie", command.name]
    make_parser(command).parse_args(words[2:])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    linked = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    named = re.findall(r"`((?:app|engine|tests|scripts|resources)/[\w./-]*)`", text)
    missing = [name for name in {*linked, *named} if not (ROOT / name).exists()]
    assert not missing


def test_the_readme_tells_the_solvers_as_they_are() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (\d) \| (\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    told = {name: (int(order), int(evaluations)) for name, order, evaluations in rows}
    assert told == {info.name: (info.order, info.evaluations_per_step) for info in solver_infos()}


def test_python_examples_in_the_readme_compile() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = __import__(str(node.module), fromlist=["_"])
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


# --- set-up --------------------------------------------------------------------------------------


def test_shell_scripts_are_sound_and_executable() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    assert len(scripts) >= 3
    for script in scripts:
        text = script.read_text()
        assert text.startswith("#!/usr/bin/env bash\n"), script
        assert "set -euo pipefail" in text, script
        assert script.stat().st_mode & 0o111, script
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_set_up_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(
        ["bash", "scripts/setup.sh", "everything"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "run|dev|training" in done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with the scripts, a .venv that is ready, and a system made of stand-ins in `fake`."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "fake").mkdir()
    stand_in(tmp_path / ".venv/bin/python", "exit 0")
    checksum = subprocess.run(["cksum"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    (tmp_path / ".venv" / "ready-run").write_text(f"{checksum.stdout.strip()} {tmp_path}\n")
    stand_in(tmp_path / "fake/uname", "echo Linux")
    stand_in(tmp_path / "fake/apt-get", f'echo "$@" >> {tmp_path}/apt.log')
    stand_in(tmp_path / "fake/Xvfb", "exit 0")
    return tmp_path


def stand_in(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def set_up(machine: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{machine / 'fake'}:/usr/bin:/bin", "HOME": str(machine)}
    return subprocess.run(
        ["bash", "scripts/setup.sh", "run"], cwd=machine, env=environment, capture_output=True, text=True
    )


def all_libraries() -> list[tuple[str, str]]:
    script = (ROOT / "scripts" / "setup.sh").read_text()
    listed = re.findall(r"^(lib[\w.+-]+\.so[.\d]*) +(lib[\w.-]+)$", script, re.MULTILINE)
    assert len(listed) >= 17
    return listed


def test_set_up_does_nothing_where_all_is_there(machine: Path) -> None:
    lines = "\n".join(f"{library} (libc6,x86-64) => /lib/{library}" for library, _ in all_libraries())
    stand_in(machine / "fake/ldconfig", f"cat <<END\n{lines}\nEND")
    done = set_up(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (machine / "apt.log").exists()


def test_set_up_installs_what_is_missing_as_root(machine: Path) -> None:
    stand_in(machine / "fake/ldconfig", "echo 'libGL.so.1 (libc6,x86-64) => /lib/libGL.so.1'")
    stand_in(machine / "fake/id", "echo 0")
    done = set_up(machine)
    assert done.returncode == 0, done.stderr
    called = (machine / "apt.log").read_text().split()
    assert called[0] == "install"
    missing = {package for library, package in all_libraries() if library != "libGL.so.1"}
    assert missing <= set(called)
    assert "libgl1" not in called


def test_set_up_prints_the_command_where_it_may_not_install(machine: Path) -> None:
    stand_in(machine / "fake/ldconfig", "exit 0")
    stand_in(machine / "fake/id", "echo 1000")
    stand_in(machine / "fake/sudo", "exit 1")
    done = set_up(machine)
    assert done.returncode == 0
    packages = " ".join(package for _, package in all_libraries())
    assert (
        f"  sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}\n"
        in done.stderr
    )
    assert not (machine / "apt.log").exists()


def test_set_up_tries_apt_again_with_a_fresh_list_and_then_goes_on(machine: Path) -> None:
    stand_in(machine / "fake/ldconfig", "exit 0")
    stand_in(machine / "fake/id", "echo 0")
    stand_in(machine / "fake/apt-get", f'echo "$1" >> {machine}/apt.log; [ "$1" = update ]')
    done = set_up(machine)
    assert done.returncode == 0
    assert (machine / "apt.log").read_text().split() == ["install", "update", "install"]
    assert "Please run:" in done.stderr


def on_a_virtual_screen() -> bool:
    return shutil.which("Xvfb") is not None and (ROOT / ".venv" / "bin" / "genie").exists()


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "app.main"],
        pytest.param(
            ["scripts/run.sh"],
            marks=pytest.mark.skipif(not on_a_virtual_screen(), reason="needs Xvfb and `make run`'s set-up"),
        ),
    ],
    ids=["genie", "make run"],
)
def test_ctrl_c_closes_the_window_in_good_order(command: list[str], tmp_path: Path, genie_home: Path) -> None:
    """As from a terminal: the signal goes to everything that was started."""
    environment = {
        **os.environ, "GENIE_HOME": str(genie_home), "GENIE_SCREENSHOTS": str(tmp_path),
        "QT_QPA_PLATFORM": "offscreen" if command[-1] == "app.main" else "xcb",
    }  # fmt: skip
    environment.pop("DISPLAY", None)
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.png")) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=30)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    assert running.returncode == 0, said
    assert list(tmp_path.glob("*.png"))
    assert "Traceback" not in said
    assert "broke" not in said


def test_pytest_closes_make_test() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^test: (.*?)\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    assert recipe[2].strip().splitlines()[-1].startswith("$(PYTEST)")
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert check is not None
    for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert tool in check[1]


def test_pyproject_installs_the_console_command_and_all_resources() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"genie": "app.main:main"}
    assert project["tool"]["setuptools"]["package-data"]["resources"] == ["**/*"]
