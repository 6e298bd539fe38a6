//! The operating systems' event queues: the contract that each of them fulfils, and the one place that chooses.

use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use crate::event::{Event, Readiness};
use crate::token::AtomicToken;
use crate::{Interest, Token, Trigger};

/// An operating system's event queue. [`Selector`] is the one of this platform.
///
/// What is the same everywhere (time-outs longer than an OS takes, wakes that need no system call, capacity checks)
/// happens above it, in `queue.rs`; a backend does what only it can do.
pub(crate) trait Backend: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe + Sized {
    /// The memory that the kernel writes events into, lent to [`select`](Backend::select).
    type Buffer: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe;

    /// What a source remembers of its registration; the default is "not registered". Dropping it ends the watching, and
    /// happens before the source is closed. Takes no room where the OS keeps all there is to know.
    type Registration: Default + fmt::Debug + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe;

    /// An event as the OS writes it, or [`TokenAndFlags`].
    type Event: RawEvent;

    fn new() -> io::Result<Self>;

    /// A buffer for `capacity` events.
    fn buffer(capacity: usize) -> Self::Buffer;

    /// Waits until there is an event, `timeout` has passed, or a signal came ([`io::ErrorKind::Interrupted`]), and
    /// appends at most [`Events::capacity`](crate::Events::capacity) events to `events`, whose length is zero and whose
    /// capacity is one more than that. Returns early with no event only for a signal. An error means that nothing was
    /// taken from the OS.
    ///
    /// Returns whether there was a notification of [`notify`](Backend::notify), of which there is no event: that is given above,
    /// with the token of the waker there is then.
    fn select(&self, buffer: &mut Self::Buffer, events: &mut Vec<Event>, timeout: Option<Duration>)
    -> io::Result<bool>;

    /// The token of the notification among the `events` that `select` gave, for a queue that tells it from others by the token
    /// of the `waker` alone. Each token is one that a program may use, so it may be the event of a source: then the waker makes
    /// one system call too many, no more.
    #[inline]
    fn gave_notification(&self, _events: &[Event], _waker: &AtomicToken) -> Option<Token> {
        None
    }

    /// Begins to watch `source`, and notes so in `registration`; an event is due at once if it is ready already.
    fn register(&self, source: Descriptor, registration: &mut Self::Registration, watch: Watch) -> io::Result<()>;

    /// Replaces what is watched, and re-arms.
    fn reregister(&self, source: Descriptor, registration: &mut Self::Registration, watch: Watch) -> io::Result<()>;

    /// Ends the watching: a `select` that starts later gives no event of `source`.
    fn deregister(&self, source: Descriptor, registration: &mut Self::Registration) -> io::Result<()>;

    /// Does what [`register`](Backend::register) does for a *bare* source (`SourceFd`, `SourceSocket`), which remembers nothing
    /// and whose I/O goes past this crate: the backend finds it by `source` alone.
    fn register_bare(&self, source: Descriptor, watch: Watch) -> io::Result<()> {
        self.register(source, &mut Default::default(), watch)
    }

    /// I/O on `source` has used up what is `spent`: where readiness is emulated, an edge-triggered registration waits for
    /// it again from now on. Where the kernel does that, there is nothing to do, and this is not called: see `io_source.rs`.
    /// If it fails, a running `select` may not know. Calling it again makes up for that.
    #[inline]
    fn rearm(_source: Descriptor, _registration: &Self::Registration, _spent: Spent) -> io::Result<()> {
        Ok(())
    }

    /// Prepares the queue for [`notify`](Backend::notify), whose events will carry this token. Called once, unless it
    /// failed.
    fn set_waker(&self, token: Token) -> io::Result<()>;

    /// From now on, the events of [`notify`](Backend::notify) carry another token. A notification that is on its way stays
    /// so: if a wake is `pending`, the next `select` ends with an event of the new token or, if it has begun, of the old
    /// one. Called by one thread at a time. Where `select` itself gives the event its token, there is nothing to do.
    fn rename_waker(&self, _token: Token, _pending: bool) -> io::Result<()> {
        Ok(())
    }

    /// Makes the running `select`, or the next one, return with a readable event of the waker's token. Called from any
    /// thread, after [`set_waker`](Backend::set_waker). Never blocks.
    fn notify(&self) -> io::Result<()>;
}

/// What the OS says with an event, and what that means.
pub(crate) trait Flags: Copy + fmt::Debug + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static {
    /// The flags of a wake that went without the OS: readable.
    const WOKEN: Self;

    /// The one translation from the OS's words into the crate's.
    fn readiness(self) -> Readiness;
}

/// An event in the form in which a backend keeps it: what is inside of an [`Event`](crate::event::Event).
pub(crate) trait RawEvent: Copy + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static {
    /// The flags that the OS gives with an event.
    type Flags: Flags;

    fn new(token: Token, flags: Self::Flags) -> Self;
    fn token(&self) -> Token;
    fn flags(&self) -> Self::Flags;
}

/// The form of an event where the OS has none that could be passed on as it is.
#[derive(Copy, Clone)]
#[allow(dead_code, reason = "epoll's events are what the kernel writes")]
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

/// What I/O has used up, so that it is news when it comes again.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Spent {
    /// The readiness in these directions: I/O would block.
    Blocked(Interest),
    /// The same, as far as can be told: I/O moved fewer bytes than it was given room for.
    Short(Interest),
    /// A pending error: it was taken out, or I/O failed with it.
    Error,
    /// All there was: an attempt to connect has begun, so what comes is another stream's.
    Stream,
}

// What names a source to the OS, and the errors of misuse. On Unix those are epoll's, so that they are the same whoever
// notices: the kernel, a backend, or the check in debug builds.
cfg_if! {
    if #[cfg(windows)] {
        pub(crate) use std::os::windows::io::{AsSocket as AsDescriptor, RawSocket as Descriptor};

        #[inline]
        pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
            std::os::windows::io::AsRawSocket::as_raw_socket(&io.as_socket())
        }

        /// Whether an attempt to connect has begun. (Here that "would block", too.)
        pub(crate) fn has_begun_to_connect(_error: &io::Error) -> bool {
            false
        }

        /// The error of registering a source twice, or of changing a registration with another queue.
        pub(crate) fn already_registered() -> io::Error {
            io::Error::new(io::ErrorKind::AlreadyExists, "the event source is registered already")
        }

        /// The error of changing or ending a registration that is not there.
        pub(crate) fn not_registered() -> io::Error {
            io::Error::new(io::ErrorKind::NotFound, "the event source is not registered with this queue")
        }
    } else {
        pub(crate) use std::os::fd::{AsFd as AsDescriptor, RawFd as Descriptor};

        #[inline]
        pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
            std::os::fd::AsRawFd::as_raw_fd(&io.as_fd())
        }

        /// Whether an attempt to connect has begun.
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

// The choice: the one ladder by platform. What is `pub` in it is part of the crate's API, where it is.
cfg_if! {
    if #[cfg(windows)] {
        pub(crate) mod windows;
        use self::windows as backend;
        #[cfg(feature = "os-ext")]
        mod child_exit;
        #[cfg(feature = "os-ext")]
        pub use self::child_exit::ChildExit;
    } else if #[cfg(all(
        not(any(
            mio_backend = "event_ports",
            mio_backend = "kqueue",
            mio_backend = "poll",
            mio_unsupported_force_poll_poll
        )),
        any(target_os = "android", target_os = "illumos", target_os = "linux", target_os = "redox"),
    ))] {
        // illumos has event ports as well, of which Solaris's are the origin. Its epoll is the better one here: the kernel
        // makes edges, for any descriptor.
        mod epoll;
        mod queue_fd;
        use self::epoll as backend;
    } else if #[cfg(all(
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)),
        any(
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple",
            all(mio_backend = "kqueue", target_os = "linux"), // on a double, for tests
        ),
    ))] {
        mod kqueue;
        mod queue_fd;
        use self::kqueue as backend;
        mod child_exit;
        #[cfg(feature = "os-ext")]
        pub use self::child_exit::ChildExit;
    } else if #[cfg(all(
        not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)),
        any(
            target_os = "solaris",
            all(mio_backend = "event_ports", target_os = "linux"), // on a double, for tests
        ),
    ))] {
        mod event_ports;
        mod queue_fd;
        use self::event_ports as backend;
    } else {
        mod poll;
        use self::poll as backend;
    }
}

pub(crate) use self::backend::Selector;

// Linux has this with any queue. (The double of kqueue has its own.)
#[cfg(all(feature = "os-ext", target_os = "linux", not(mio_backend = "kqueue")))]
mod child_exit;
#[cfg(all(feature = "os-ext", target_os = "linux", not(mio_backend = "kqueue")))]
pub use self::child_exit::ChildExit;

// What several of them use.

#[allow(dead_code, reason = "epoll writes events where they are read, and Windows alone completes operations")]
pub(crate) mod common;
#[allow(dead_code, reason = "each queue uses its own")]
pub(crate) mod logic;
#[cfg(not(windows))]
#[allow(dead_code, unused_imports, reason = "which of it a build uses depends on its platform and queue")]
pub(crate) mod unix;

/// The flags of this platform's queue.
pub(crate) type EventFlags = <<Selector as Backend>::Event as RawEvent>::Flags;
