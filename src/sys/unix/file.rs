//! Which file a descriptor stands for, as far as the OS tells: its numbers are used again, and not every file has some.

#![allow(unsafe_code)]

use std::os::fd::RawFd;

/// A file. To those that have no numbers, each of their kind is the same one: so are pipes on NetBSD, OpenBSD and DragonFly BSD.
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
    /// What `fd` stands for, if it is open.
    #[cfg(unix)]
    pub(crate) fn of(fd: RawFd) -> Option<File> {
        use std::mem::ManuallyDrop;
        use std::os::fd::FromRawFd;
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        // SAFETY: it is asked about, and not closed. If no such descriptor is open, the answer is an error.
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

    /// Whether it is a pipe, with a name or without.
    #[allow(dead_code, reason = "kqueue asks")]
    pub(crate) fn is_pipe(&self) -> bool {
        self.kind == Kind::Pipe
    }
}

#[cfg(test)]
impl File {
    /// A pipe, and what is none.
    pub(crate) fn examples() -> [File; 2] {
        [Kind::Pipe, Kind::Other].map(|kind| File { kind, device: 1, number: 2 })
    }
}

/// Which socket a descriptor stands for. What is none is nothing that could be known again: a FIFO and a terminal may be
/// opened twice, and not all that has a descriptor is a file of its own.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Identity(Option<File>);

impl Identity {
    pub(crate) fn of(fd: RawFd) -> Identity {
        // Not every system numbers its sockets.
        Identity(File::of(fd).filter(|file| file.kind == Kind::Socket && file.number != 0))
    }

    /// Whether `fd` stands for this socket. Where that cannot be told it does not: a registration that is replaced by
    /// mistake was made twice by mistake.
    pub(crate) fn is_of(&self, fd: RawFd) -> bool {
        self.0.is_some() && self.0 == Identity::of(fd).0
    }
}
