"""Parts of the package that are imported later, and what is missing then."""

from __future__ import annotations

import subprocess
import sys

MODULES = {
    "brokers.rabbitmq": ("aio_pika", "rabbitmq"),
    "brokers.kafka": ("aiokafka", "kafka"),
    "brokers.nats": ("nats", "nats"),
    "brokers.redis": ("redis", "redis"),
    "observe.prometheus": ("prometheus_client", "prometheus"),
    "observe.opentelemetry": ("opentelemetry", "opentelemetry"),
}


# Imports the modules that it is told, without the packages that it is told, and prints what is raised.
PROGRAM = """
import importlib, sys
sys.modules.update(dict.fromkeys(sys.argv[2].split()))
for name in sys.argv[1].split():
    try:
        importlib.import_module(f"webstreams.{name}")
    except BaseException as error:
        print(f"{type(error).__name__}: {error}")
    else:
        print("imported")
"""


def test_a_module_whose_package_is_missing_says_what_to_install() -> None:
    packages = " ".join(package for package, _ in MODULES.values())
    command = [sys.executable, "-c", PROGRAM, " ".join(MODULES), packages]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""
    said = dict(zip(MODULES, ended.stdout.splitlines(), strict=True))
    for module, (_, extra) in MODULES.items():
        assert said[module].startswith("ModuleNotFoundError: "), module
        assert said[module].endswith(f': pip install "webstreams[{extra}]"'), module


def test_every_public_module_is_an_attribute_of_the_package() -> None:
    names = ("brokers", "observe", "operations", "threads", "types", "workers")
    program = f"import webstreams; print([getattr(webstreams, name).__name__ for name in {names}])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    assert ended.stdout.strip() == str([f"webstreams.{name}" for name in names])
