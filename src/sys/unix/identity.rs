//! Identifies the file that a descriptor stands for, as far as possible: the OS reuses the numbers of files, and some files
//! have none.

#![allow(unsafe_code)]

use std::os::fd::RawFd;

/// A file. Files without numbers, such as the pipes of NetBSD, OpenBSD and DragonFly BSD, are all equal to the others of their
/// kind.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    kind: Kind,
    device: u64,
    number: u64,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    Socket,
    Other,
}

impl File {
    /// Returns the file that `fd` stands for, if `fd` is open.
    #[cfg(unix)]
    pub(crate) fn of(fd: RawFd) -> Option<File> {
        use std::mem::ManuallyDrop;
        use std::os::fd::FromRawFd;
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        // The standard library's types panic if they are given this number.
        if fd == -1 {
            return None;
        }
        // SAFETY: this only queries the descriptor, and `ManuallyDrop` keeps it open. If it is not open, the call fails.
        let file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
        let file = file.metadata().ok()?;
        let kind = match file.file_type() {
            kind if kind.is_fifo() => Kind::Pipe,
            kind if kind.is_socket() => Kind::Socket,
            _ => Kind::Other,
        };
        Some(File { kind, device: file.dev(), number: file.ino() })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_fd: RawFd) -> Option<File> {
        None
    }

    /// Returns whether this is a pipe, named or anonymous.
    #[allow(dead_code, reason = "only kqueue uses it")]
    pub(crate) fn is_pipe(&self) -> bool {
        self.kind == Kind::Pipe
    }
}

#[cfg(test)]
impl File {
    /// Returns a pipe and another file.
    pub(crate) fn examples() -> [File; 2] {
        [Kind::Pipe, Kind::Other].map(|kind| File { kind, device: 1, number: 2 })
    }
}

/// Identifies the socket that a descriptor stands for. Other files cannot be recognized: a program may open a FIFO or a
/// terminal twice, and some descriptors share one file.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Identity(Option<File>);

impl Identity {
    pub(crate) fn of(fd: RawFd) -> Identity {
        // Some systems give their sockets no numbers.
        Identity(File::of(fd).filter(|file| file.kind == Kind::Socket && file.number != 0))
    }

    /// Returns whether `fd` stands for this socket, as far as can be told. If that is unknown, the answer is no, and the caller
    /// replaces the registration. That is a mistake only if the program has registered the same file twice.
    pub(crate) fn is_of(&self, fd: RawFd) -> bool {
        self.0.is_some() && self.0 == Identity::of(fd).0
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn kinds_of_files_are_told_apart_and_sockets_from_each_other() {
        let (pipe, _) = crate::sys::unix::pipe().unwrap();
        let (one, other) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let kind = |fd: RawFd| File::of(fd).map(|file| file.kind);
        assert_eq!(kind(pipe.as_raw_fd()), Some(Kind::Pipe));
        assert_eq!(kind(one.as_raw_fd()), Some(Kind::Socket));
        assert_eq!(kind(file.as_raw_fd()), Some(Kind::Other));
        assert_eq!(kind(-1), None);

        let identity = Identity::of(one.as_raw_fd());
        // Some systems give their sockets no numbers.
        if identity.0.is_some() {
            assert!(identity.is_of(one.as_raw_fd()) && !identity.is_of(other.as_raw_fd()));
        }
        for fd in [pipe.as_raw_fd(), file.as_raw_fd()] {
            assert!(!Identity::of(fd).is_of(fd));
        }
    }
}
