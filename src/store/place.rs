//! The place of a store: names that SQLite would take for something else, files beside it that are to be read
//! with it, whether it is still there, and file systems on which its locks do not hold.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Refuses a name that is no plain name of a file: SQLite takes some for addresses of its own.
pub(super) fn check_name(path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    let refuse = |what: &str, remedy: &str| Err(Error::store(path, what, remedy));
    if name.is_empty() {
        return refuse("a store needs a name", "name a file with --store");
    }
    // A store of that name would be in memory, or another file than the name says.
    if name.starts_with("file:") || name.starts_with(':') {
        return refuse(
            "a store is a file, and SQLite takes this name for an address",
            &format!("name a file with --store; ./{name} is a file of that name"),
        );
    }
    if name.ends_with(std::path::is_separator) {
        return refuse("it is the name of a folder", "name a file with --store");
    }
    Ok(())
}

/// A clear word where a new store cannot be made.
pub(super) fn check_place(path: &Path) -> Result<()> {
    check_name(path)?;
    if path.is_dir() {
        return Err(Error::store(
            path,
            "it is a folder",
            "name a file with --store",
        ));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(Error::store(
            path,
            format!("there is no folder {}", folder.display()),
            "make it, or name another file with --store",
        )),
        _ => Ok(()),
    }
}

/// The file beside a store that holds results which are not in the store itself yet; `None` where there is
/// none, or it is empty.
pub(super) fn pending(path: &Path) -> Option<PathBuf> {
    // SQLite follows links before it looks beside a file.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    ["-wal", "-journal"].into_iter().find_map(|end| {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let beside = PathBuf::from(name);
        let holds_something = beside.metadata().is_ok_and(|beside| beside.len() > 0);
        holds_something.then_some(beside)
    })
}

/// The identity of a file, whatever its name: device and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// The file that the name stands for now; `None` where there is none, and on systems whose files
    /// have no numbers.
    #[cfg(unix)]
    pub(super) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            number: found.ino(),
        })
    }

    /// The same, where files have no numbers.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Path) -> Option<Self> {
        None
    }
}

/// Warns of a store on a file system of a network: SQLite's locks do not hold there, so that processes of
/// several machines may destroy what they share.
pub(super) fn warn_of_network(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let Some(id) = FileId::of(folder.unwrap_or(Path::new("."))) else {
        return;
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(kind) = network_of(&mounts, id.device) {
        log::warn!(
            "{}: a file system of a network ({kind}), where locks between machines do not hold; use the store \
             from one machine at a time, or give each its own with --shard i/N and join them with \
             `proxdiff runs merge`",
            path.display()
        );
    }
}

/// The file systems that lie on another machine; of FUSE those whose name says so.
const NETWORKS: [&str; 22] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "beegfs",
    "gfs2",
    "ocfs2",
    "glusterfs",
    "ncpfs",
    "coda",
    "pvfs2",
    "davfs",
    "sshfs",
    "gpfs",
    "orangefs",
];
/// The same of FUSE, after `fuse.`.
const FUSE_NETWORKS: [&str; 11] = [
    "sshfs",
    "s3fs",
    "glusterfs",
    "rclone",
    "gcsfuse",
    "davfs",
    "davfs2",
    "ceph",
    "curlftpfs",
    "smbnetfs",
    "juicefs",
];

/// The kind of the file system of a device if it is one of a network, by Linux's table of mounts.
fn network_of(mounts: &str, device: u64) -> Option<&str> {
    // As glibc packs the two numbers of a device.
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let own = format!("{major}:{minor}");
    let kind = mounts.lines().find_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let is_own = place.split(' ').nth(2) == Some(own.as_str());
        is_own.then(|| rest.split(' ').next()).flatten()
    })?;
    let is_network = match kind.strip_prefix("fuse.") {
        Some(kind) => FUSE_NETWORKS.contains(&kind),
        None => NETWORKS.contains(&kind),
    };
    is_network.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_a_network_are_known_by_their_mount() {
        let mounts = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:45 / /home rw,relatime shared:1 - nfs4 server:/home rw,vers=4.2
41 27 0:46 / /mnt/a b rw - fuse.sshfs me@there: rw
42 27 0:47 / /mnt/ntfs rw - fuseblk /dev/sdb1 rw
43 27 259:1048577 / /data rw - cifs //server/data rw
";
        let device =
            |major: u64, minor: u64| (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
        for (major, minor, kind) in [
            (254, 0, None),
            (0, 45, Some("nfs4")),
            (0, 46, Some("fuse.sshfs")),
            (0, 47, None),
            (0, 48, None),
            (259, 1_048_577, Some("cifs")),
        ] {
            assert_eq!(network_of(mounts, device(major, minor)), kind, "{minor}");
        }
    }

    #[test]
    fn names_that_are_no_files_are_refused() {
        for name in [
            "",
            ":memory:",
            "file:x.db",
            "file:x.db?mode=memory",
            "x.db/",
        ] {
            assert!(check_name(Path::new(name)).is_err(), "{name}");
        }
        for name in ["x.db", "./file:x.db", "./:memory:", "a:b.db", "/tmp/x"] {
            assert!(check_name(Path::new(name)).is_ok(), "{name}");
        }
    }
}
