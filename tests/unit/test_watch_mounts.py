"""Which file system the store is on, from the kernel's table."""

from pathlib import PurePosixPath

import pytest

from daemon.watch.mounts import is_shared, kind_of_mount

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 / /home rw,relatime shared:9 - btrfs /dev/sdb rw,subvol=/home
41 30 0:52 / /home/ann/Team\040Files rw,nosuid - fuse.sshfs ann@files: rw
42 22 0:53 / /srv rw - nfs4 files:/srv rw
43 42 0:54 / /srv rw - ext4 /dev/sdc rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home/ann/Datebook", "btrfs"),
        ("/home/ann/Team Files/book", "fuse.sshfs"),
        ("/home/ann/Team", "btrfs"),
        ("/srv/book", "ext4"),  # mounted over the other one
    ],
)
def test_the_deepest_and_last_mount_counts(path, kind):
    assert kind_of_mount(TABLE, PurePosixPath(path)) == kind


def test_a_table_that_says_nothing_is_no_answer():
    assert kind_of_mount("", PurePosixPath("/srv")) == ""
    assert kind_of_mount("nonsense\n1 2 3 - ", PurePosixPath("/srv")) == ""


def test_network_file_systems_are_told_from_local_ones():
    assert all(is_shared(kind) for kind in ("nfs4", "cifs", "9p", "fuse.sshfs"))
    assert not any(is_shared(kind) for kind in ("ext4", "btrfs", "fuse.gocryptfs", "tmpfs", ""))
