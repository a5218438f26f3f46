"""System calls of Linux hosts by eBPF: source, decoder and fields of the event source ``syscall``.

`source` reads the kernel's ring and tells it verdicts; `decode` turns records into events and keeps the process table; `fields` says what
rules can read of them; `translate` brings a plan into the loader's form. The loader itself, ``tiercel_ebpf_loader``, is a package of
its own, since it runs as root and imports nothing of this.
"""

from __future__ import annotations

from tiercel import Decoder, Field, Source, hookimpl


@hookimpl
def tiercel_register_sources() -> list[type[Source]]:
    """The eBPF source."""
    from tiercel_ebpf.source import EbpfSource

    return [EbpfSource]


@hookimpl
def tiercel_register_decoders() -> list[type[Decoder]]:
    """The decoder of source ``syscall``."""
    from tiercel_ebpf.decode import SyscallDecoder

    return [SyscallDecoder]


@hookimpl
def tiercel_register_fields() -> list[Field]:
    """The fields of source ``syscall``."""
    from tiercel_ebpf.fields import FIELDS

    return list(FIELDS)
