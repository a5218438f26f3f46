from __future__ import annotations

import pytest

from tests.unit.plugins.outputs.servers import Authority, Identity


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server(authority: Authority) -> Identity:
    return authority.issue("127.0.0.1")


@pytest.fixture(scope="session")
def client(authority: Authority) -> Identity:
    return authority.issue("sensor")
