"""The command of docs/day-two.md that compares jobs, over what kubectl prints."""

import os
import re
import subprocess
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "day-two.md"
ACCURACIES = ["1", "0.975", "<none>", "9.5e-05", "0.99", "0.1", "0"]


def test_jobs_are_sorted_by_accuracy_where_some_are_whole_numbers_or_none(tmp_path: Path) -> None:
    """The API server keeps 1.0 as an integer, beside which kubectl's own --sort-by fails."""
    (command,) = re.findall(r"^kubectl get trainingjobs .*custom-columns=.*$", PAGE.read_text(), re.M)
    assert "--sort-by" not in command
    columns = re.findall(r"'(ACCURACY:\S+)'", command)[0].split(",")
    titles = "   ".join(column.split(":")[0] for column in columns)
    rows = [f"{accuracy}   {' '.join('x' for _ in columns[1:])}" for accuracy in ACCURACIES]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join([titles, *rows]) + "\nEND\n")
    kubectl.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "LANG": "de_DE.UTF-8"},
        check=True,
        capture_output=True,
        text=True,
    )
    first = [line.split()[0] for line in done.stdout.splitlines()]
    assert first == ["ACCURACY", "<none>", "0", "9.5e-05", "0.1", "0.975", "0.99", "1"]
    assert done.stderr == ""
