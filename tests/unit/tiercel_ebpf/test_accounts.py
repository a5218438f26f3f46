"""Users and groups of the host."""

from __future__ import annotations

from tests.unit.tiercel_ebpf.made import Kernel, batch, decode, decoder, opened
from tiercel_ebpf import records as r
from tiercel_ebpf.accounts import UNSET, User

USERS = (
    b"root:x:0:0::/root:/bin/sh\n# note\nwww:x:33:33::/var/www:/usr/sbin/nologin\nshort:x:34\ntoor:x:0:0:::\nbad:x:-1:\nfine:x:\xc2\xb2:\n"
)
GROUPS = b"root:x:0:\nwww-data:x:33:www\nbad:x:x:\n\nagain:x:33:\n"


def test_of_the_files() -> None:
    kernel = Kernel(r.Accounts(USERS), r.Groups(GROUPS))
    accounts = decoder(kernel).accounts
    assert accounts.user(0) == User("root", "/root", "/bin/sh")
    assert accounts.user(33) == User("www", "/var/www", "/usr/sbin/nologin")
    assert accounts.user(34) == User("short", "", "")
    assert [accounts.group(number) for number in (0, 33)] == ["root", "www-data"]
    assert kernel.taken == 1


def test_unknown_ones_are_looked_for_once() -> None:
    kernel = Kernel(r.Accounts(USERS), r.Groups(GROUPS))
    made = decoder(kernel)
    assert [made.accounts.user(number) for number in (4, 4)] == [User("<NA>", "<NA>", "<NA>")] * 2
    assert kernel.taken == 2
    list(made.decode(batch()))
    assert [made.accounts.group(number) for number in (4, 4)] == ["<NA>"] * 2
    assert kernel.taken == 3


def test_an_account_that_is_new() -> None:
    kernel = Kernel(r.Accounts(USERS))
    made = decoder(kernel)
    kernel.rows[:] = [r.Accounts(b"new:x:7:7::/home/new:/bin/zsh\n")]
    assert decode(made, opened(uid=7), read=lambda e: made.accounts.user(e.uid)) == [User("new", "/home/new", "/bin/zsh")]


def test_root_needs_no_file_and_no_id_needs_no_look() -> None:
    kernel = Kernel()
    accounts = decoder(kernel).accounts
    assert accounts.user(0) == User("root", "/root", "<NA>")
    assert accounts.group(0) == "root"
    taken = kernel.taken
    assert accounts.user(UNSET).name == "<NA>"
    assert kernel.taken == taken
