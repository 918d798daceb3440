"""Parts of the package that are imported later, and what is missing then."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = {
    "brokers.rabbitmq": ("aio_pika", "rabbitmq"),
    "brokers.kafka": ("aiokafka", "kafka"),
    "brokers.nats": ("nats", "nats"),
    "brokers.redis": ("redis", "redis"),
    "observe.prometheus": ("prometheus_client", "prometheus"),
    "observe.opentelemetry": ("opentelemetry", "opentelemetry"),
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_whose_package_is_missing_says_what_to_install(module: str) -> None:
    package, extra = MODULES[module]
    program = f"import sys; sys.modules['{package}'] = None; import webstreams.{module}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    last = ended.stderr.strip().rpartition("\n")[2]
    assert last.startswith("ModuleNotFoundError: ")
    assert last.endswith(f': pip install "webstreams[{extra}]"')


def test_every_public_module_is_an_attribute_of_the_package() -> None:
    names = ("brokers", "observe", "operations", "threads", "types", "workers")
    program = f"import webstreams; print([getattr(webstreams, name).__name__ for name in {names}])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    assert ended.stdout.strip() == str([f"webstreams.{name}" for name in names])
