"""The public API: its names are a promise, and importing it costs little."""

from __future__ import annotations

import subprocess
import sys

import tiercel

PROMISED = {
    *("ANY_SOURCE", "API_VERSION", "EMPTY_SCHEMA", "FAILED", "PENDING", "TRUE"),
    *("Abilities", "Alert", "Argument", "Atom", "ChangePoint", "Component", "ConfigError", "Context", "Decoder", "Diagnostic", "Enricher"),
    *(
        "Event",
        "FactGroup",
        "Field",
        "FieldType",
        "Formatter",
        "Formula",
        "Host",
        "HostError",
        "JudgedType",
        "KnownMasks",
        "Loaded",
        "Output",
    ),
    *("Permanent", "PluginError", "Priority", "Progress", "Quantifier", "RawBatch", "Replan", "Retry", "RuleBundle", "RuleError"),
    *("Source", "SourcePlan", "Stability", "StandIn", "TiercelError", "Tls", "Unknown", "UserError", "field", "hookimpl", "join_path"),
}
HEAVY = {"aiohttp", "asyncio", "bcc", "click", "importlib.resources", "jsonschema", "orjson", "re2", "rich", "ssl", "yaml", "zstandard"}


def test_names_are_those_that_were_promised() -> None:
    assert set(tiercel.__all__) == PROMISED
    assert list(tiercel.__all__) == sorted(tiercel.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_every_name_exists_and_says_what_it_is() -> None:
    for name in tiercel.__all__:
        value = getattr(tiercel, name)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, name


def test_importing_it_is_cheap_and_loads_no_plugin() -> None:
    code = "import sys; before = set(sys.modules); import tiercel; print(*sorted(set(sys.modules) - before))"
    path = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "tiercel.hookspecs" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("tiercel_") or name in ("tiercel.cli", "tiercel.config", "tiercel.lang")}
