"""Private Python environments for the core and for each heavy tool: create, locate, report.

Standard library only: the launcher runs this with the system's Python before any environment exists.
An environment is a folder `<cache>/envs/<name>-<key>`; it is built beside and renamed, so one that exists is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lorewright.compiling import compiled, files
from lorewright.errors import LorewrightError

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]
# A wheel carries the requirement files inside the package; a checkout has them at its top.
REQUIREMENTS = next(p for p in (PACKAGE / "requirements", CHECKOUT / "requirements") if p.is_dir())

# name -> requirement files, {} standing for cpu or gpu
FILES: dict[str, tuple[str, ...]] = {
    "core": ("core.txt",),
    "train": ("train-{}.txt",),
    "serve": ("serve-{}.txt",),
    "export": ("export.txt",),
    "charts": ("charts.txt",),
    "dev": ("core.txt", "dev.txt"),
}
# Free disk wanted before a build, in GiB: measured installs with the download cache counted, rounded up.
DISK_GIB = {"cpu": {"core": 4, "train": 6, "serve": 5, "dev": 4}, "cuda": {"core": 4, "train": 22, "serve": 28, "dev": 4}}
OTHER_GIB = 4
PIP_TO_UV = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


@dataclass(frozen=True)
class Environment:
    """One environment: its name, the key its folder carries, and where it is (or will be)."""

    name: str
    key: str
    path: Path

    @property
    def ready(self) -> bool:
        return (self.path / "bin" / "python").exists()  # a folder whose Python has been removed is no environment

    @property
    def python(self) -> str:
        return str(self.path / "bin" / "python")

    def command_path(self) -> str:
        """PATH with this environment's commands first (Axolotl starts `accelerate` from PATH), and those of what stands beside it."""
        folders = [self.path / "bin", *sorted(self.path.glob("extras/*/bin"))]
        return os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])


def cache_root() -> Path:
    """Where environments live: `$XDG_CACHE_HOME/lorewright`, by default `~/.cache/lorewright`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lorewright"


def accelerator() -> str:
    """`cuda` where an NVIDIA driver answers, else `cpu`; `LOREWRIGHT_ACCELERATOR` overrides."""
    chosen = os.environ.get("LOREWRIGHT_ACCELERATOR", "")
    if chosen not in ("", "cpu", "cuda"):
        raise LorewrightError(f"LOREWRIGHT_ACCELERATOR is {chosen!r}", remedy="set it to cpu or cuda, or leave it out")
    driver = Path("/dev/nvidiactl").exists() or (Path("/dev/dxg").exists() and shutil.which("nvidia-smi"))
    return chosen or ("cuda" if driver else "cpu")


def requirement_files(name: str) -> list[Path]:
    if name not in FILES:
        raise LorewrightError(f"unknown environment {name!r}", remedy=f"one of {', '.join(FILES)}")
    build = {"cpu": "cpu", "cuda": "gpu"}[accelerator()]
    return [REQUIREMENTS / file.format(build) for file in FILES[name]]


def locate(name: str) -> Environment:
    """The environment that `name` means on this machine, built or not."""
    text = b"".join(file.read_bytes() for file in [*requirement_files(name), *files(name, REQUIREMENTS)])
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    facts = f"{minor} {platform.system()} {platform.machine()} {accelerator() if name in ('train', 'serve') else ''}"
    key = hashlib.sha256(text + facts.encode()).hexdigest()[:12]
    return Environment(name, key, cache_root() / "envs" / f"{name}-{key}")


def ensure(name: str) -> Environment:
    """The environment, built first if it is missing. Progress goes to standard error."""
    env = locate(name)
    if env.ready:
        return env
    try:
        env.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise LorewrightError(
            f"cannot make the environment folder: {problem.strerror}",
            where=str(env.path.parent),
            remedy="point XDG_CACHE_HOME at a folder you may write to",
        ) from None
    with locked(env):
        if not env.ready:
            _build(env)
    return env


@contextlib.contextmanager
def locked(env: Environment) -> Iterator[None]:
    with open(f"{env.path}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is building the {env.name} environment; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(env: Environment) -> None:
    _check_disk(env)
    here = compiled(env.name, REQUIREMENTS)
    say(f"setting up the {env.name} environment (once; it is kept in {env.path}){'; ' if here.said else ''}{here.said}")
    tool = uv()
    beside = env.path.with_name(f".{env.path.name}.building")
    shutil.rmtree(beside, ignore_errors=True)
    _run([tool, "venv", "-q", "--relocatable", "--python", sys.executable, str(beside)], env)
    install = [tool, "pip", "install", "--no-deps", "--compile-bytecode", "--python", str(beside / "bin" / "python"), *here.arguments]
    for file in requirement_files(env.name):
        install += ["-r", str(file)]
    _run(install + _torch_backend(env.name), env, dict(here.variables))
    shutil.rmtree(env.path, ignore_errors=True)
    beside.rename(env.path)


def _check_disk(env: Environment) -> None:
    wanted = DISK_GIB[accelerator()].get(env.name, OTHER_GIB)
    free = shutil.disk_usage(env.path.parent).free / 2**30
    if free < wanted:
        raise LorewrightError(
            f"the {env.name} environment needs {wanted} GiB of disk, {free:.1f} GiB are free",
            where=str(env.path.parent),
            remedy="free some space, or point XDG_CACHE_HOME at a larger disk",
        )


def uv() -> str:
    """The private uv, fetched by pip on first use; where pip is missing, one from PATH."""
    pin = (REQUIREMENTS / "uv.txt").read_text().strip()
    home = cache_root() / pin.replace("==", "-")
    if not (home / "bin" / "uv").exists():
        beside = home.with_name(f".{home.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target", str(beside), pin]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            found = shutil.which("uv")
            if found:
                return found
            raise LorewrightError(
                f"cannot fetch {pin} with pip: {(done.stderr.strip().splitlines() or ['no message'])[-1]}",
                remedy="install your system's python3-pip (or uv itself), check the network, and run this again",
            )
        with contextlib.suppress(OSError):  # another process was first
            beside.rename(home)
        shutil.rmtree(beside, ignore_errors=True)
    return str(home / "bin" / "uv")


def uv_settings() -> dict[str, str]:
    """pip's settings under uv's names, which does not read pip's."""
    settings = {uv: os.environ[pip] for pip, uv in PIP_TO_UV.items() if os.environ.get(pip) and uv not in os.environ}
    if os.environ.get("PIP_FIND_LINKS") and "UV_FIND_LINKS" not in os.environ:
        settings["UV_FIND_LINKS"] = ",".join(os.environ["PIP_FIND_LINKS"].split())
    if "UV_INDEX" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's way of treating further indexes
    return settings


def _torch_backend(name: str) -> list[str]:
    """The plain index would give a CPU machine gigabytes of CUDA: ask for CPU builds, unless the user's own source has torch."""
    if name == "charts" or (name in ("train", "serve") and accelerator() == "cuda"):
        return []
    own = os.environ.get("PIP_FIND_LINKS", "").split() + os.environ.get("UV_FIND_LINKS", "").split(",")
    has_torch = any(Path(place).is_dir() and any(Path(place).glob("torch-*.whl")) for place in own if place)
    return [] if has_torch or "PIP_INDEX_URL" in os.environ else ["--torch-backend", "cpu"]


def _run(command: list[str], env: Environment, variables: Mapping[str, str] | None = None) -> None:
    run_uv(command, env.path.with_suffix(".log"), f"the {env.name} environment could not be built", variables)


def run_uv(command: list[str], log: Path, failed: str, variables: Mapping[str, str] | None = None) -> None:
    """Runs uv with the user's settings; its output goes to `log`. Raises LorewrightError, which begins with `failed`."""
    settings = os.environ | uv_settings() | {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": ""} | dict(variables or {})
    if not sys.stderr.isatty():
        command = [command[0], "--no-progress", *command[1:]]
    terminal = sys.stderr.isatty()
    with open(log, "ab") as sink:
        done = subprocess.run(command, env=settings, stdout=sink, stderr=None if terminal else sink)
    if done.returncode:
        tail = tuple(log.read_text(errors="replace").splitlines()[-12:])
        raise LorewrightError(
            failed,
            where=str(log),
            tail=tail,
            remedy="check the network and the disk, then run the same command again: it starts afresh",
        )


def report() -> list[tuple[str, str, bool, str]]:
    """(name, key, ready, folder) of every environment this machine can have."""
    rows = [locate(name) for name in FILES if all(file.exists() for file in requirement_files(name))]
    return [(env.name, env.key, env.ready, str(env.path)) for env in rows]


def say(text: str) -> None:
    print(f"lorewright: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """`python -m lorewright.envs NAME`: build if missing, print the environment's folder."""
    try:
        print(ensure(arguments[0] if arguments else "core").path)
    except LorewrightError as error:
        print(*error.tail, f"lorewright: {error}", sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing half-built is kept as whole")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
