"""The headers for the C++ example are fetched when they are missing or of another version, and only then."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "cpp" / "get_headers.sh"
MARK, OTHER = "onnxruntime_c_api.h", "onnxruntime_cxx_api.h"
# Stand-ins for Debian's tools: the package holds two headers.
APT = """#!/usr/bin/env bash
echo "apt-get ${!#}" >>"$LOG"
[ "${!#}" != libonnxruntime-dev ] || touch libonnxruntime-dev_1.21.0_amd64.deb
"""
DPKG = f"""#!/usr/bin/env bash
mkdir -p "$3/usr/include/onnxruntime"
echo "#define ORT_API_VERSION 21" >"$3/usr/include/onnxruntime/{MARK}"
echo "// inline" >"$3/usr/include/onnxruntime/{OTHER}"
"""


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """Where the stand-ins note what was asked of them; they are found before the tools themselves."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return tmp_path / "log"


def get_headers(target: Path, fetched: Path) -> str:
    environment = {**os.environ, "PATH": f"{fetched.parent / 'tools'}:{os.environ['PATH']}", "LOG": str(fetched)}
    command = ["bash", SCRIPT, target]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_headers_that_are_there_are_not_fetched_again(fetched: Path, tmp_path: Path) -> None:
    target = tmp_path / "headers"
    assert get_headers(target, fetched) == f"headers of ONNX Runtime are in {target}\n"
    assert sorted(path.name for path in target.iterdir()) == [MARK, OTHER]
    assert fetched.read_text() == "apt-get update\napt-get libonnxruntime-dev\n"
    fetched.unlink()
    assert get_headers(target, fetched) == f"headers of ONNX Runtime are in {target} already\n"
    assert not fetched.exists()


@pytest.mark.parametrize("left", ["#define ORT_API_VERSION 20\n", "#define ORT_API_VERSION 210\n", None])
def test_headers_of_another_version_or_a_part_of_them_are_replaced(
    left: str | None, fetched: Path, tmp_path: Path
) -> None:
    target = tmp_path / "headers"
    target.mkdir()
    (target / OTHER).write_text("// of an interrupted copy\n")
    if left is not None:
        (target / MARK).write_text(left)
    get_headers(target, fetched)
    assert (target / MARK).read_text() == "#define ORT_API_VERSION 21\n"
    assert (target / OTHER).read_text() == "// inline\n"
    assert fetched.exists()
