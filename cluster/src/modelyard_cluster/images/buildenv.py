"""What the build machine needs to reach package indexes, handed to a build as secrets.

Indexes, proxies and CA bundles differ from machine to machine and may hold passwords;
a build reads them from two files that are mounted while it runs and stay in no layer.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard_cluster.command import output

CA_IN_BUILD = "/run/secrets/build-ca"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_PASSED_ON = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"),
    *(
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_INSECURE_HOST",
        "UV_HTTP_TIMEOUT",
    ),
)
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def build_environment(environment: Mapping[str, str], pip_index: str, apt_proxy: str) -> dict[str, str]:
    """The variables that a build gets."""
    passed = {name: environment[name] for name in (*_PROXIES, *_PASSED_ON) if environment.get(name)}
    if apt_proxy and "http_proxy" not in passed:
        passed["http_proxy"] = apt_proxy
    index = passed.get("PIP_INDEX_URL") or pip_index
    if index:
        passed.setdefault("PIP_INDEX_URL", index)
        if "UV_INDEX_URL" not in passed:
            passed.setdefault("UV_DEFAULT_INDEX", index)  # uv does not read pip's settings
    if "PIP_EXTRA_INDEX_URL" in passed:
        passed.setdefault("UV_EXTRA_INDEX_URL", passed["PIP_EXTRA_INDEX_URL"])
    if ca_bundle(environment):
        passed.update(dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"), CA_IN_BUILD))
    passed["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return passed


def ca_bundle(environment: Mapping[str, str]) -> Path | None:
    """The CA bundle that the machine's programs are told to use."""
    for name in _CA_VARIABLES:
        path = Path(environment.get(name, ""))
        if environment.get(name) and path.is_file():
            return path
    return None


def shell_file(variables: Mapping[str, str]) -> str:
    """The variables as a file that a shell can read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))


@contextmanager
def secrets(environment: Mapping[str, str] = os.environ) -> Iterator[list[str]]:
    """Arguments that hand the secrets to a build; the files are gone when it ends."""
    pip_index = output(["python3", "-m", "pip", "config", "get", "global.index-url"]).strip()
    proxy_line = output(["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"]).strip()
    variables = build_environment(environment, pip_index, proxy_line)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "build-env"
        file.touch(mode=0o600)
        file.write_text(shell_file(variables))
        arguments = ["--secret", f"id=build-env,src={file}"]
        bundle = ca_bundle(environment) or _empty(Path(folder) / "build-ca")
        yield [*arguments, "--secret", f"id=build-ca,src={bundle}"]


def _empty(path: Path) -> Path:
    path.touch()
    return path
