"""Which kind of file system a folder is on, and whether the kernel tells of all changes there."""

from __future__ import annotations

from pathlib import PurePosixPath

# Others write there behind this kernel's back, so inotify tells of our own machine's writes at most.
_SHARED = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gfs2", "ocfs2"),
        *("9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs-fuse", "davfs", "fuse.davfs", "fuse.davfs2"),
        *("fuse.sshfs", "fuse.rclone", "fuse.gvfsd-fuse", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.s3fs"),
        *("fuse.gcsfuse", "fuse.google-drive-ocamlfuse", "fuse.onedriver", "fuse.onedrive", "fuse.kio-fuse"),
        *("fuse.juicefs", "fuse.seadrive", "fuse.curlftpfs"),
    }
)


def is_shared(kind: str) -> bool:
    """Whether another machine may write to a file system of this kind without inotify noticing."""
    return kind in _SHARED


def kind_of_mount(mountinfo: str, path: PurePosixPath) -> str:
    """The kind of file system that an absolute, resolved path is on; "" when the table does not say.

    `mountinfo` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)): of the mounts above the path
    the deepest one counts, and of several on one folder the last.
    """
    best, depth = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) <= _MOUNT_POINT or not kind:
            continue
        point = PurePosixPath(_unescaped(fields[_MOUNT_POINT]))
        if len(point.parts) >= depth and path.is_relative_to(point):
            best, depth = kind, len(point.parts)
    return best


_MOUNT_POINT = 4


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
