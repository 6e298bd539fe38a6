//! [`IoSource`]: a socket or pipe together with its registration. Its registrations and all I/O that the queue hears of pass
//! through here.

mod registered_with;

use std::fmt;
use std::io;
use std::ops::Deref;
#[cfg(not(windows))]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket;

use self::registered_with::RegisteredWith;
use crate::event::{Watched, impl_source};
use crate::sys::{AsDescriptor, Backend, Descriptor, Selector, Spent, Watch, descriptor, has_begun_to_connect};
use crate::{Interest, Registry};

/// Turns anything that has a file descriptor (on Windows, a socket) into a [`Source`](crate::event::Source), and owns it.
///
/// Use it for things that this crate has no type for: vsock, `SOCK_SEQPACKET`, SCTP, raw and packet sockets, tun devices,
/// serial lines, netlink, inotify, timers. It supports every [`Trigger`](crate::Trigger), tells the queue what I/O through
/// [`try_io`](IoSource::try_io) and [`try_io_for`](IoSource::try_io_for) used up, and ends its registration before it closes
/// what it holds. Where the kernel keeps registrations (epoll, kqueue), it is no larger than `T` in release builds.
///
/// The alternative is [`SourceFd`](crate::unix::SourceFd) (on Windows, `SourceSocket`), which borrows a descriptor that
/// something else owns and closes. The queue then sees nothing of your I/O.
///
/// Available with the crate feature `os-ext` on Unix and Windows.
///
/// # Requirements on `T`
///
/// - It must be in non-blocking mode; otherwise your I/O blocks.
/// - It must keep the same descriptor for its whole life. If it returns a different one, you miss events, and with epoll and
///   kqueue a change of the registration fails or concerns whatever else is registered with that descriptor.
/// - It must own its descriptor alone, so that dropping the `IoSource` closes it. A reference, an `Arc`, a `BorrowedFd` or
///   `Stdin` does not; then deregister it before you drop it. Otherwise the registration may stay (epoll, kqueue), and
///   produces events for as long as the descriptor is open.
///
/// If you break these rules, you get an error, miss an event or get one too many, but never cause undefined behaviour.
///
/// # Examples
///
/// This socket of the `socket2` crate keeps the boundaries between messages:
///
/// ```
/// # #[cfg(all(unix, not(target_vendor = "apple")))]
/// # fn main() -> std::io::Result<()> {
/// use std::io::Read;
/// use mio::{Events, Interest, IoSource, Poll, Token};
/// use socket2::{Domain, Socket, Type};
///
/// let (ours, theirs) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
/// ours.set_nonblocking(true)?;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut ours = IoSource::new(ours);
/// poll.registry().register(&mut ours, Token(0), Interest::READABLE)?;
///
/// theirs.send(b"one message")?;
/// poll.poll(&mut events, None)?;
/// let mut buffer = [0; 64];
/// let length = ours.try_io_for(Interest::READABLE, |mut socket| socket.read(&mut buffer))?;
/// assert_eq!(&buffer[..length], b"one message");
/// # Ok(())
/// # }
/// # #[cfg(not(all(unix, not(target_vendor = "apple"))))]
/// # fn main() {}
/// ```
pub struct IoSource<T> {
    /// This field stands before `io`, so that it is dropped before the descriptor is closed and its number used again.
    registration: <Selector as Backend>::Registration,
    registered_with: RegisteredWith,
    io: T,
}

/// Checks on each platform that an `IoSource` is as small as promised above.
#[cfg(not(debug_assertions))]
const _: () = assert!(REARMS || size_of::<IoSource<Descriptor>>() == size_of::<Descriptor>());

impl<T> IoSource<T> {
    /// Makes a source of `io`, which must be in non-blocking mode and not be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::unix::net::UnixStream;
    /// use mio::IoSource;
    ///
    /// let (stream, _other) = UnixStream::pair()?;
    /// stream.set_nonblocking(true)?;
    /// let source = IoSource::new(stream);
    /// assert!(source.take_error()?.is_none()); // the source dereferences to the stream
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn new(io: T) -> IoSource<T> {
        IoSource { registration: Default::default(), registered_with: RegisteredWith::default(), io }
    }

    /// Makes a source of something that comes from elsewhere, and that may be registered.
    pub(crate) fn taken_over(io: T) -> IoSource<T> {
        IoSource { registration: Default::default(), registered_with: RegisteredWith::unknown(), io }
    }

    /// Returns what the source holds. Deregister it first: where the kernel keeps the registration, it stays; elsewhere it
    /// ends, because nothing would tell the queue when the descriptor is closed and its number used again.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use std::os::unix::net::UnixStream;
    /// use mio::IoSource;
    ///
    /// let (stream, _other) = UnixStream::pair()?;
    /// let source = IoSource::new(stream);
    /// let stream: UnixStream = source.into_inner();
    /// stream.set_nonblocking(false)?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn into_inner(self) -> T {
        self.io
    }
}

/// Whether I/O has to tell the queue what it has used up. If a source remembers nothing of its registration, the kernel keeps
/// track of that.
const REARMS: bool = size_of::<<Selector as Backend>::Registration>() != 0;

// The bounds have their own names here, because the documentation shows them.
impl<#[cfg(not(windows))] T: AsFd, #[cfg(windows)] T: AsSocket> IoSource<T> {
    /// Does I/O by calling `io` once, and returns its result. If that is [`WouldBlock`](io::ErrorKind::WouldBlock), the queue
    /// waits for both directions again. If `io` needs only one direction, use [`try_io_for`](IoSource::try_io_for) instead.
    ///
    /// # Errors
    ///
    /// Returns the error of `io`. On Windows and with event ports and `poll(2)`, it returns the OS's error instead of
    /// `WouldBlock` or `EINPROGRESS` if the queue cannot wait again.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io::{ErrorKind, Read};
    /// use std::os::unix::net::UnixStream;
    /// use mio::IoSource;
    ///
    /// let (stream, _other) = UnixStream::pair()?;
    /// stream.set_nonblocking(true)?;
    /// let source = IoSource::new(stream);
    /// let nothing = source.try_io(|mut stream| stream.read(&mut [0; 8]));
    /// assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn try_io<F, R>(&self, io: F) -> io::Result<R>
    where
        F: FnOnce(&T) -> io::Result<R>,
    {
        self.try_io_for(Interest::READABLE | Interest::WRITABLE, io)
    }

    /// Does I/O that needs the directions of `interest` by calling `io` once, and returns its result. The queue waits again for
    /// whatever the I/O used up: for those directions if `io` returns [`WouldBlock`](io::ErrorKind::WouldBlock), for the next
    /// error of the source if `io` fails with an error of the source, and for everything if it starts connecting
    /// (`EINPROGRESS`).
    ///
    /// # Errors
    ///
    /// Returns the errors that [`try_io`](IoSource::try_io) lists.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    /// use mio::{Interest, IoSource};
    ///
    /// let (stream, _other) = UnixStream::pair()?;
    /// stream.set_nonblocking(true)?;
    /// let source = IoSource::new(stream);
    /// let written = source.try_io_for(Interest::WRITABLE, |mut stream| stream.write(b"hello"))?;
    /// assert_eq!(written, 5);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    #[inline]
    pub fn try_io_for<F, R>(&self, interest: Interest, io: F) -> io::Result<R>
    where
        F: FnOnce(&T) -> io::Result<R>,
    {
        self.spend(io, |result| spent(result, interest))
    }

    /// Does what `try_io_for` does, for a byte stream: `io` reads or writes at most `room` bytes. If it moves some bytes but
    /// fewer than that, it has used up the direction as well.
    #[inline]
    pub(crate) fn stream_io(
        &self,
        needed: Interest,
        room: impl FnOnce() -> usize,
        io: impl FnOnce(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.spend(io, |result| match result {
            Ok(0) => None,
            Ok(count) => (*count < room()).then_some(Spent::Short(needed)),
            Err(_) => spent(result, needed),
        })
    }

    /// Takes the pending error of a socket.
    #[inline]
    pub(crate) fn take_error(
        &self,
        take: impl FnOnce(&T) -> io::Result<Option<io::Error>>,
    ) -> io::Result<Option<io::Error>> {
        self.spend(take, |result| matches!(result, Ok(Some(_))).then_some(Spent::Error))
    }

    /// Does I/O, and arms again what it has used up.
    #[inline]
    fn spend<R>(
        &self,
        io: impl FnOnce(&T) -> io::Result<R>,
        spent: impl FnOnce(&io::Result<R>) -> Option<Spent>,
    ) -> io::Result<R> {
        let result = io(&self.io);
        let spent = if REARMS { spent(&result) } else { None };
        if let Some(spent) = spent {
            let takes_error = matches!(spent, Spent::Error);
            let armed = Selector::rearm(&self.registration, spent);
            // If there is no memory for a notification, the bytes that `io` moved or the error that it took must not be lost.
            if result.is_err() && !takes_error {
                armed?;
            }
        }
        result
    }

    #[inline]
    fn descriptor(&self) -> Descriptor {
        descriptor(&self.io)
    }
}

impl<T: AsDescriptor> Watched for IoSource<T> {
    #[inline]
    fn watch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.registered_with.check_register()?;
        registry.queue().backend.register(self.descriptor(), &mut self.registration, watch)?;
        self.registered_with.set(registry);
        Ok(())
    }

    #[inline]
    fn rewatch(&mut self, registry: &Registry, watch: Watch) -> io::Result<()> {
        self.registered_with.check_reregister(registry)?;
        registry.queue().backend.reregister(self.descriptor(), &mut self.registration, watch)?;
        // From now on this is known, even if the source comes from elsewhere.
        self.registered_with.set(registry);
        Ok(())
    }

    #[inline]
    fn unwatch(&mut self, registry: &Registry) -> io::Result<()> {
        self.registered_with.check_deregister(registry)?;
        registry.queue().backend.deregister(self.descriptor(), &mut self.registration)?;
        self.registered_with.clear();
        Ok(())
    }
}

#[cfg(not(windows))]
impl_source!(IoSource<T> where T: AsFd);
#[cfg(windows)]
impl_source!(IoSource<T> where T: AsSocket);

impl<T> Deref for IoSource<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.io
    }
}

impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

/// Returns what failed I/O has used up. That is nothing if the I/O did not get as far as the source, or if the peer is gone for
/// good (a pipe repeats that error each time).
fn spent<R>(result: &io::Result<R>, needed: Interest) -> Option<Spent> {
    let error = result.as_ref().err()?;
    match error.kind() {
        io::ErrorKind::WouldBlock => Some(Spent::Blocked(needed)),
        io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted | io::ErrorKind::InvalidInput => None,
        _ if has_begun_to_connect(error) => Some(Spent::Stream),
        _ => Some(Spent::Error),
    }
}
