"""The loader of the eBPF source: a short-lived root process that turns a typed plan into programs in the kernel.

It is started by the supervisor with ``python -I -S`` and imports nothing but the standard library and, once the plan has been
found valid, Debian's ``bcc``. `__main__` speaks the protocol, `plan` validates, `btf` finds structure offsets, `generate` writes the C
of the plan's typed values, `objects` compiles it with bcc or finds it compiled, `attach` puts it to work through `kernel` (bpf(2)).
The C itself is in ``program/``.
"""
