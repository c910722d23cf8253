"""kubectl as a typed function: run, apply, get, follow, forward a port."""

from __future__ import annotations

import codecs
import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modelyard_demo.errors import DemoError

Manifest = dict[str, Any]
FORWARD_SECONDS = 30.0
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def run(*arguments: str, stdin: str | None = None, timeout: float = 60.0) -> str:
    """Run kubectl and return what it printed.

    Raises:
        DemoError: it failed or took too long.
    """
    try:
        done = subprocess.run(
            ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"`kubectl {' '.join(arguments)}` gave no answer in {timeout:.0f} s") from None
    except FileNotFoundError:
        raise DemoError("kubectl is not here: run `make cluster` first") from None
    if done.returncode:
        raise DemoError(f"`kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def apply(manifest: Manifest) -> None:
    """Apply one object made in Python.

    Raises:
        DemoError: the API server refuses it.
    """
    run("apply", "--server-side", "--field-manager=modelyard-demo", "-f", "-", stdin=json.dumps(manifest))


def get(resource: str, name: str, namespace: str) -> Manifest | None:
    """One object, or None where it does not exist."""
    text = run("get", resource, name, "-n", namespace, "--ignore-not-found", "-o", "json")
    return json.loads(text) if text.strip() else None


def follow(
    resource: str, name: str, namespace: str, timeout: float, repeat: float = 60.0
) -> Iterator[Manifest]:
    """The object as it is, whenever it changes, and again when nothing was heard for ``repeat`` seconds,
    until ``timeout`` seconds are over.

    An object that is deleted and made anew is followed on.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        yield from _watch(resource, name, namespace, deadline, repeat)


def _watch(resource: str, name: str, namespace: str, deadline: float, repeat: float) -> Iterator[Manifest]:
    """One ``kubectl get --watch``: it ends when the API server closes it, or has been silent."""
    command = ["kubectl", "get", resource, name, "-n", namespace, "--watch", "-o", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    chunks: queue.Queue[bytes] = queue.Queue()
    reader = threading.Thread(target=_pump, args=(process, chunks), daemon=True)
    reader.start()
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = ""
    try:
        while (left := deadline - time.monotonic()) > 0:
            try:
                chunk = chunks.get(timeout=min(left, repeat))
            except queue.Empty:
                return
            if not chunk:
                time.sleep(0.2)
                return
            text += decoder.decode(chunk)
            found, text = documents(text)
            yield from found
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def _pump(process: subprocess.Popen[bytes], chunks: queue.Queue[bytes]) -> None:
    """Pass the output on as it comes; an empty chunk is its end."""
    assert process.stdout is not None
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        chunks.put(chunk)
    chunks.put(b"")


def documents(text: str) -> tuple[list[Manifest], str]:
    """The whole JSON documents at the beginning of a text, and the rest of it."""
    decoder, position = json.JSONDecoder(), 0
    found: list[Manifest] = []
    while True:
        start = position + len(text[position:]) - len(text[position:].lstrip())
        try:
            document, position = decoder.raw_decode(text, start)
        except ValueError:
            return found, text[start:]
        found.append(document)


@contextmanager
def forwarded(service: str, port: int, namespace: str) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to a Service, until the block ends.

    Raises:
        DemoError: it does not come up.
    """
    command = [
        "kubectl",
        "port-forward",
        "-n",
        namespace,
        f"service/{service}",
        f":{port}",
        "--address=127.0.0.1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=_lines, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield _forwarded_port(lines, service)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _lines(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Read all output, so that kubectl never waits for a reader."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _forwarded_port(lines: queue.Queue[str], service: str) -> int:
    said = ""
    try:
        while line := lines.get(timeout=FORWARD_SECONDS):
            said += line
            if match := _FORWARDING.search(line):
                return int(match.group(1))
    except queue.Empty:
        said += f"no answer in {FORWARD_SECONDS:.0f} s"
    raise DemoError(f"`kubectl port-forward service/{service}` failed: {said.strip()}")


def condition(found: Mapping[str, Any], kind: str) -> Manifest:
    """A condition of an object, or an empty one."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})
