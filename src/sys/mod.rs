//! The operating systems' event queues: the contract that each of them fulfils, and the one place that chooses between them.

use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use crate::event::{Event, Readiness};
use crate::token::AtomicToken;
use crate::{Interest, Token, Trigger};

/// An operating system's event queue. [`Selector`] is this platform's.
///
/// Code that is the same everywhere (time-outs longer than an OS takes, wakes that need no system call, capacity checks)
/// stands above it, in `poll.rs` and `queue.rs`; a backend does what only it can do.
pub(crate) trait Backend: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe + Sized {
    /// The memory that the kernel writes events into, lent to [`select`](Backend::select).
    type Buffer: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe;

    /// What a source remembers of its registration. The default means "not registered", or a bare source, whose registration
    /// the backend finds by its descriptor. Dropping it ends the registration,
    /// and happens before the source is closed. It takes no memory where the OS keeps everything.
    type Registration: Default + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe;

    /// An event as the OS writes it, or [`TokenAndFlags`].
    type Event: RawEvent;

    fn new() -> io::Result<Self>;

    /// Makes a buffer for `capacity` events.
    fn buffer(capacity: usize) -> Self::Buffer;

    /// Waits until there is an event, `timeout` has passed, or a signal arrives ([`io::ErrorKind::Interrupted`]). Appends at
    /// most [`Events::capacity`](crate::Events::capacity) events to `events`, whose length is zero and whose capacity is one
    /// more than that, for the event of the waker. Before the time is up, it returns only with an event, a notification or an
    /// error. If it returns an error, it has taken nothing from the OS.
    ///
    /// Returns whether there was a notification from [`notify`](Backend::notify) that is not among the events. The caller adds
    /// the event for it, with the token of the waker at that time.
    fn select(&self, buffer: &mut Self::Buffer, events: &mut Vec<Event>, timeout: Option<Duration>)
    -> io::Result<bool>;

    /// Finds a notification among the `events` from `select`, and returns its token, for a queue that recognizes it only by the
    /// token of the `waker`. A program may give the same token to a source, so this may be the event of a source. In that case
    /// the waker makes one unnecessary system call, and nothing worse happens.
    #[inline]
    fn gave_notification(&self, _events: &[Event], _waker: &AtomicToken) -> Option<Token> {
        None
    }

    /// Starts watching `source`, and notes that in `registration`. If the source is already ready, an event is due at once.
    fn register(&self, source: Descriptor, registration: &mut Self::Registration, watch: Watch) -> io::Result<()>;

    /// Replaces what the queue watches for, and arms the source again.
    fn reregister(&self, source: Descriptor, registration: &mut Self::Registration, watch: Watch) -> io::Result<()>;

    /// Stops watching `source`: a `select` that starts later reports no event of it.
    fn deregister(&self, source: Descriptor, registration: &mut Self::Registration) -> io::Result<()>;

    /// Does what [`register`](Backend::register) does, for a *bare* source (`SourceFd`, `SourceSocket`). Such a source
    /// remembers nothing, and the crate does not see its I/O, so the backend has to find it by `source` alone. A backend whose
    /// registrations end when they are dropped does this in its own way.
    fn register_bare(&self, source: Descriptor, watch: Watch) -> io::Result<()> {
        self.register(source, &mut Default::default(), watch)
    }

    /// Arms again what I/O on a source has used up, which is `spent`: where readiness is emulated, an edge-triggered
    /// registration waits for it again from now on. Where the kernel does that, and a `Registration` takes no memory,
    /// `io_source.rs` does not call this. If it fails, a running `select` may not know about the change until somebody calls
    /// this again.
    #[inline]
    fn rearm(_registration: &Self::Registration, _spent: Spent) -> io::Result<()> {
        Ok(())
    }

    /// Prepares the queue for [`notify`](Backend::notify). If notifications are among its events, these will carry this token.
    /// Called once, or again after it has failed.
    fn set_waker(&self, token: Token) -> io::Result<()>;

    /// Makes the events of [`notify`](Backend::notify) carry another token from now on. A notification that is on its way must
    /// not get lost: if a wake is `pending`, the next `select` ends with an event that carries the new token, and one that has
    /// already started may end with the old token. One thread at a time calls this. A backend whose notifications are not among
    /// the events has nothing to do.
    fn rename_waker(&self, _token: Token, _pending: bool) -> io::Result<()> {
        Ok(())
    }

    /// Makes the running `select`, or else the next one, return with a notification: `true`, or an event that
    /// [`gave_notification`](Backend::gave_notification) finds. Any thread may call this, after [`set_waker`](Backend::set_waker). It never blocks.
    fn notify(&self) -> io::Result<()>;

    /// From now on, other code may sleep on the queue's descriptor. A queue whose descriptor always becomes readable by itself
    /// has nothing to do.
    fn export(&self) {}
}

/// The flags that the OS gives with an event, and their meaning.
pub(crate) trait Flags: Copy + fmt::Debug + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static {
    /// The flags of a wake that did not need the OS. They mean readable.
    const WOKEN: Self;

    /// Translates the OS's flags into the crate's own hints. Each backend does this here, and nowhere else.
    fn readiness(self) -> Readiness;
}

/// An event in the form in which a backend keeps it. An [`Event`](crate::event::Event) contains one.
pub(crate) trait RawEvent: Copy + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static {
    /// The flags that the OS gives with an event.
    type Flags: Flags;

    fn new(token: Token, flags: Self::Flags) -> Self;
    fn token(&self) -> Token;
    fn flags(&self) -> Self::Flags;
}

/// The form of an event for backends that cannot pass on the OS's own struct.
#[derive(Copy, Clone)]
#[allow(dead_code, reason = "epoll passes on what the kernel writes")]
pub(crate) struct TokenAndFlags<F> {
    token: Token,
    flags: F,
}

impl<F: Flags> RawEvent for TokenAndFlags<F> {
    type Flags = F;

    #[inline]
    fn new(token: Token, flags: F) -> TokenAndFlags<F> {
        TokenAndFlags { token, flags }
    }

    #[inline]
    fn token(&self) -> Token {
        self.token
    }

    #[inline]
    fn flags(&self) -> F {
        self.flags
    }
}

/// What a registration asks for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) token: Token,
    pub(crate) interest: Interest,
    pub(crate) trigger: Trigger,
}

/// What I/O has used up, so that it is news when it happens again.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Spent {
    /// The readiness in these directions, because I/O would block.
    Blocked(Interest),
    /// Probably the readiness in these directions, because I/O moved fewer bytes than the buffer holds.
    Short(Interest),
    /// A pending error, because the program took it, or I/O failed with it.
    Error,
    /// Everything, because an attempt to connect has started, and whatever happens now belongs to another stream.
    Stream,
}

// The type that names a source to the OS, the error that says that a connect goes on, and the errors of misuse. On Unix the
// errors are epoll's, so that they are the same whether the kernel, a backend, or the check in debug builds notices the misuse.
cfg_if! {
    if #[cfg(windows)] {
        pub(crate) use std::os::windows::io::{AsSocket as AsDescriptor, RawSocket as Descriptor};

        #[inline]
        pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
            std::os::windows::io::AsRawSocket::as_raw_socket(&io.as_socket())
        }

        /// Returns whether an attempt to connect has started. (On Windows, `WouldBlock` says that.)
        pub(crate) fn has_begun_to_connect(_error: &io::Error) -> bool {
            false
        }

        /// The error for registering a source twice, or changing its registration with another queue.
        pub(crate) fn already_registered() -> io::Error {
            io::Error::new(io::ErrorKind::AlreadyExists, "the event source is already registered")
        }

        /// The error for changing or ending a registration that does not exist.
        pub(crate) fn not_registered() -> io::Error {
            io::Error::new(io::ErrorKind::NotFound, "the event source is not registered with this queue")
        }
    } else {
        pub(crate) use std::os::fd::{AsFd as AsDescriptor, RawFd as Descriptor};

        #[inline]
        pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
            std::os::fd::AsRawFd::as_raw_fd(&io.as_fd())
        }

        /// Returns whether an attempt to connect has started.
        pub(crate) fn has_begun_to_connect(error: &io::Error) -> bool {
            error.raw_os_error() == Some(libc::EINPROGRESS)
        }

        #[allow(dead_code, reason = "not every backend needs it in release builds")]
        pub(crate) fn already_registered() -> io::Error {
            io::Error::from_raw_os_error(libc::EEXIST)
        }

        #[allow(dead_code, reason = "not every backend needs it in release builds")]
        pub(crate) fn not_registered() -> io::Error {
            io::Error::from_raw_os_error(libc::ENOENT)
        }
    }
}

// This is the one list that chooses a backend by platform. Its `pub` items are part of the crate's API on their platforms.
cfg_if! {
    if #[cfg(windows)] {
        pub(crate) mod windows;
        use self::windows as backend;
        #[cfg(feature = "os-ext")]
        mod child_exit;
        #[cfg(feature = "os-ext")]
        pub use self::child_exit::ChildExit;
    } else if #[cfg(any(mio_backend = "poll", mio_unsupported_force_poll_poll))] {
        mod poll;
        use self::poll as backend;
    } else if #[cfg(any(
        target_os = "solaris",
        all(mio_backend = "event_ports", target_os = "linux"), // tests run it on a double of event ports
    ))] {
        mod event_ports;
        mod queue_fd;
        use self::event_ports as backend;
    } else if #[cfg(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_vendor = "apple",
        all(mio_backend = "kqueue", target_os = "linux"), // tests run it on a double of kqueue
    ))] {
        mod kqueue;
        mod queue_fd;
        use self::kqueue as backend;
        mod child_exit;
        #[cfg(feature = "os-ext")]
        pub use self::child_exit::ChildExit;
    } else if #[cfg(any(target_os = "android", target_os = "illumos", target_os = "linux", target_os = "redox"))] {
        // illumos has event ports as well, like Solaris, where they come from. Its epoll is better here, because the kernel
        // makes the edges, for any descriptor.
        mod epoll;
        mod queue_fd;
        use self::epoll as backend;
    } else {
        mod poll;
        use self::poll as backend;
    }
}

pub(crate) use self::backend::Selector;

// Linux has `ChildExit` with every queue, because there a process has a descriptor. (With the double of kqueue, kqueue's
// version is in use.)
#[cfg(all(feature = "os-ext", target_os = "linux", not(mio_backend = "kqueue")))]
mod child_exit;
#[cfg(all(feature = "os-ext", target_os = "linux", not(mio_backend = "kqueue")))]
pub use self::child_exit::ChildExit;

// Several backends use these.

#[allow(dead_code, reason = "epoll needs no buffer for events, and only Windows lends the kernel memory")]
pub(crate) mod common;
#[allow(dead_code, reason = "each backend uses only its own part")]
pub(crate) mod logic;
#[cfg(not(windows))]
#[allow(dead_code, unused_imports, reason = "each platform and backend uses a different part")]
pub(crate) mod unix;

/// The flags of this platform's queue.
pub(crate) type EventFlags = <<Selector as Backend>::Event as RawEvent>::Flags;
