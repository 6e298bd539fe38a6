//! A descriptor that one thread makes readable for another: an `eventfd(2)` where that exists, otherwise a pipe.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Makes its own descriptor readable.
#[derive(Debug)]
pub(crate) struct Notifier {
    receiver: File,
    /// The writing end of a pipe, or nothing for an eventfd, which both ends share.
    sender: Option<File>,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Notifier> {
        let (receiver, sender) = open()?;
        Ok(Notifier { receiver: receiver.into(), sender: sender.map(File::from) })
    }

    /// Makes the descriptor readable, and triggers an edge even if it is readable already. It never blocks.
    pub(crate) fn notify(&self) -> io::Result<()> {
        let mut sender = self.sender.as_ref().unwrap_or(&self.receiver);
        loop {
            match sender.write(&1_u64.to_ne_bytes()) {
                Ok(_) => return Ok(()),
                // It is full of notifications that no poll has seen, and one of them is enough.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.drain()?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Called when an edge-triggered queue has reported the descriptor. It empties a pipe, because from Linux 5.5 to 5.14 a
    /// write to a pipe that is not empty triggers no edge. It also drains an eventfd on illumos, where the same is true of one.
    #[allow(dead_code, reason = "`poll(2)` is not edge-triggered")]
    pub(crate) fn seen(&self) -> io::Result<()> {
        if self.sender.is_some() || cfg!(target_os = "illumos") { self.drain() } else { Ok(()) }
    }

    /// Makes the descriptor unreadable.
    #[cold] // so that its buffer is not part of every poll's stack frame
    pub(crate) fn drain(&self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        // An eventfd holds a number of 64 bits, and ESP-IDF rejects a larger buffer for it.
        let buffer = if self.sender.is_some() { &mut buffer[..] } else { &mut buffer[..size_of::<u64>()] };
        loop {
            match (&self.receiver).read(buffer) {
                // If the buffer is full, there may be more in the pipe.
                Ok(count) if count == buffer.len() && self.sender.is_some() => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
impl Notifier {
    /// Returns the descriptor that `notify` writes to.
    pub(crate) fn sending_end(&self) -> RawFd {
        self.sender.as_ref().unwrap_or(&self.receiver).as_raw_fd()
    }
}

impl AsRawFd for Notifier {
    fn as_raw_fd(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }
}

cfg_if! {
    if #[cfg(target_os = "wasi")] {
        fn open() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
            let reason = "WASI has neither pipes nor `eventfd`, so it does not support `Waker`";
            Err(io::Error::new(ErrorKind::Unsupported, reason))
        }
    } else if #[cfg(all(
        any(
            target_os = "android",
            target_os = "espidf",
            target_os = "hermit",
            target_os = "illumos",
            target_os = "linux",
        ),
        not(mio_unsupported_force_waker_pipe),
    ))] {
        fn open() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
            use std::os::fd::FromRawFd;

            // ESP-IDF starts no programs that could inherit it, and it never blocks there.
            #[cfg(target_os = "espidf")]
            const FLAGS: libc::c_int = 0;
            #[cfg(not(target_os = "espidf"))]
            const FLAGS: libc::c_int = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as libc::c_int;

            // SAFETY: the call takes no pointer; the descriptor is new, and nothing else owns it.
            let eventfd = unsafe { OwnedFd::from_raw_fd(super::check(libc::eventfd(0, FLAGS as _))?) };
            Ok((eventfd, None))
        }
    } else {
        fn open() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
            let (receiver, sender) = super::pipe()?;
            Ok((receiver, Some(sender)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_a_pipe() -> Notifier {
        let (receiver, sender) = crate::sys::unix::pipe().unwrap();
        Notifier { receiver: receiver.into(), sender: Some(sender.into()) }
    }

    fn is_readable(notifier: &Notifier) -> bool {
        (&notifier.receiver).read(&mut [0; 8]).is_ok()
    }

    #[test]
    fn one_that_is_full_can_be_notified() {
        for notifier in [Notifier::new().unwrap(), of_a_pipe()] {
            let mut sender = notifier.sender.as_ref().unwrap_or(&notifier.receiver);
            while sender.write(&(u64::MAX - 1).to_ne_bytes()).is_ok() {}
            notifier.notify().unwrap();
            assert!(is_readable(&notifier));
            notifier.drain().unwrap();
            assert!(!is_readable(&notifier));
        }
    }

    #[test]
    fn a_pipe_that_was_seen_is_empty_however_often_it_was_notified() {
        let notifier = of_a_pipe();
        for count in [1, 1000] {
            (0..count).for_each(|_| notifier.notify().unwrap());
            notifier.seen().unwrap();
            assert!(!is_readable(&notifier));
        }
    }

    #[test]
    fn what_cannot_be_written_to_or_read_from_is_an_error() {
        let null = |write: bool| File::options().read(!write).write(write).open("/dev/null").unwrap();
        let notifier = Notifier { receiver: null(true), sender: Some(null(false)) };
        assert_eq!(notifier.notify().unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(notifier.drain().unwrap_err().raw_os_error(), Some(libc::EBADF));
        let notifier = Notifier { receiver: null(false), ..notifier };
        assert_eq!(notifier.notify().unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
