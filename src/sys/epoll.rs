//! The backend on `epoll(7)`, for Linux, Android, illumos and Redox.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::time::Duration;

use libc::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};

use super::unix::notifier::Notifier;
use super::unix::{check, milliseconds};
use super::{Backend, Flags, RawEvent, Watch, not_registered};
use crate::event::{Event, Readiness, write_flags};
use crate::token::AtomicToken;
use crate::{Token, Trigger};

const NOTIFIER_INTERESTS: u32 = (EPOLLIN | EPOLLET) as u32;

#[derive(Debug)]
pub(crate) struct Selector {
    epoll: OwnedFd,
    notifier: OnceLock<Notifier>,
}

impl Backend for Selector {
    /// How many events fit. The kernel writes them straight into the `events` of `select`.
    type Buffer = i32;
    type Registration = ();
    type Event = EpollEvent;

    fn new() -> io::Result<Selector> {
        // SAFETY: the call takes no pointer; the descriptor is new, and nothing else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Selector { epoll, notifier: OnceLock::new() })
    }

    /// Limits the room, because Linux returns `EINVAL` if it is more than 2 GiB.
    fn buffer(capacity: usize) -> i32 {
        capacity.min(i32::MAX as usize / size_of::<libc::epoll_event>()) as i32
    }

    #[inline]
    fn select(&self, room: &mut i32, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<bool> {
        // An `Event` has the layout of a `libc::epoll_event`.
        let count = wait(self.epoll.as_raw_fd(), events.as_mut_ptr().cast(), *room, timeout)?;
        // SAFETY: the kernel has filled that many, which is no more than there is room for.
        unsafe { events.set_len(count) };
        Ok(false)
    }

    #[inline]
    fn gave_notification(&self, events: &[Event], waker: &AtomicToken) -> Option<Token> {
        // A poll without events ends here, so it stays cheap.
        if events.is_empty() {
            return None;
        }
        let notifier = self.notifier.get()?;
        let waker = waker.get();
        // The notifier asks only for `EPOLLIN`, and gets nothing else.
        if !events.iter().any(|event| event.token() == waker && event.flags().0 == EPOLLIN as u32) {
            return None;
        }
        // An error here must not cost the caller the other events, because their edges do not come again.
        let _ = notifier.seen();
        Some(waker)
    }

    #[inline]
    fn register(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        let interests = interests(&watch);
        if interests & EPOLLEXCLUSIVE as u32 != 0 && watch.interest.is_priority() {
            return Err(invalid_input("`Trigger::Exclusive` does not support `Interest::PRIORITY`"));
        }
        self.control(libc::EPOLL_CTL_ADD, fd, interests, watch.token)
    }

    #[inline]
    fn reregister(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interests(&watch), watch.token)
    }

    #[inline]
    fn deregister(&self, fd: RawFd, _registration: &mut ()) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Token(0))
    }

    fn set_waker(&self, token: Token) -> io::Result<()> {
        let notifier = Notifier::new()?;
        self.control(libc::EPOLL_CTL_ADD, notifier.as_raw_fd(), NOTIFIER_INTERESTS, token)?;
        // This does not fail, because it is called only once.
        let _ = self.notifier.set(notifier);
        Ok(())
    }

    fn rename_waker(&self, token: Token, pending: bool) -> io::Result<()> {
        let notifier = self.notifier.get().ok_or_else(not_registered)?;
        // If the notifier is readable, `EPOLL_CTL_MOD` triggers another edge. A notification that is on its way needs that,
        // because it would otherwise carry the old token or get lost. One that was seen long ago must not appear again.
        if !pending {
            notifier.drain()?;
        }
        self.control(libc::EPOLL_CTL_MOD, notifier.as_raw_fd(), NOTIFIER_INTERESTS, token)
    }

    fn notify(&self) -> io::Result<()> {
        self.notifier.get().ok_or_else(not_registered)?.notify()
    }
}

impl Selector {
    #[inline]
    fn control(&self, operation: i32, fd: RawFd, interests: u32, token: Token) -> io::Result<()> {
        let mut event = EpollEvent::new(token, EpollFlags(interests));
        // SAFETY: the kernel reads `event` only during the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event.0) }).map(drop)
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cold]
fn invalid_input(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Translates a registration into epoll's flags. `EPOLLERR` and `EPOLLHUP` need not be asked for.
#[inline]
fn interests(watch: &Watch) -> u32 {
    let mut flags = match watch.trigger {
        Trigger::Edge => EPOLLET,
        Trigger::Level => 0,
        Trigger::OneShot => EPOLLONESHOT,
        #[allow(unreachable_patterns, reason = "illumos and Redox have no `Trigger::Exclusive`")]
        _ => EPOLLET | EPOLLEXCLUSIVE,
    };
    if watch.interest.is_readable() {
        flags |= EPOLLIN;
        // Epoll refuses `EPOLLRDHUP` together with `EPOLLEXCLUSIVE`.
        if flags & EPOLLEXCLUSIVE == 0 {
            flags |= EPOLLRDHUP;
        }
    }
    if watch.interest.is_writable() {
        flags |= EPOLLOUT;
    }
    if watch.interest.is_priority() {
        flags |= EPOLLPRI;
    }
    flags as u32
}

/// Waits for events, and rounds the time-out up to the unit that the kernel takes.
#[inline]
fn wait(epoll: RawFd, events: *mut libc::epoll_event, room: i32, timeout: Option<Duration>) -> io::Result<usize> {
    let count = match timeout {
        None => wait_milliseconds(epoll, events, room, -1),
        Some(Duration::ZERO) => wait_milliseconds(epoll, events, room, 0),
        Some(time) => wait_precisely(epoll, events, room, time),
    };
    check(count).map(|count| count as usize)
}

/// Returns how many events there are, or -1 with the error in `errno`.
#[inline]
fn wait_milliseconds(epoll: RawFd, events: *mut libc::epoll_event, room: i32, timeout: i32) -> i32 {
    // SAFETY: `events` has room for `room` events.
    unsafe { libc::epoll_wait(epoll, events, room, timeout) }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn wait_precisely(epoll: RawFd, events: *mut libc::epoll_event, room: i32, time: Duration) -> i32 {
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Whether the call does not exist, because the kernel is older than 5.11 or a sandbox forbids it.
    static NO_PWAIT2: AtomicBool = AtomicBool::new(false);

    /// `struct __kernel_timespec`, whose fields have 64 bits on every architecture.
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }

    if !NO_PWAIT2.load(Ordering::Relaxed) {
        let timespec = Timespec {
            seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: i64::from(time.subsec_nanos()),
        };
        let no_signal_mask = std::ptr::null::<libc::sigset_t>();
        // SAFETY: `events` has room for `room` events, the time is read during the call, and no signal mask is given.
        let count =
            unsafe { libc::syscall(libc::SYS_epoll_pwait2, epoll, events, room, &timespec, no_signal_mask, 0_usize) };
        if count >= 0 || !matches!(io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
            return count as i32;
        }
        NO_PWAIT2.store(true, Ordering::Relaxed);
    }
    wait_milliseconds(epoll, events, room, milliseconds(time))
}

/// Waits with milliseconds, because only Linux has `epoll_pwait2`. Android's sandbox kills a program that makes an unknown
/// system call, and Miri, which knows few calls by number, stops it too.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn wait_precisely(epoll: RawFd, events: *mut libc::epoll_event, room: i32, time: Duration) -> i32 {
    wait_milliseconds(epoll, events, room, milliseconds(time))
}

/// An event as the kernel writes it.
#[derive(Copy, Clone)]
#[repr(transparent)]
pub(crate) struct EpollEvent(libc::epoll_event);

impl RawEvent for EpollEvent {
    type Flags = EpollFlags;

    #[inline]
    fn new(token: Token, flags: EpollFlags) -> EpollEvent {
        // SAFETY: all of its fields are numbers; Redox has one more than the others.
        let mut event: libc::epoll_event = unsafe { mem::zeroed() };
        event.events = flags.0;
        event.u64 = token.0 as u64;
        EpollEvent(event)
    }

    #[inline]
    fn token(&self) -> Token {
        Token(self.0.u64 as usize)
    }

    #[inline]
    fn flags(&self) -> EpollFlags {
        EpollFlags(self.0.events)
    }
}

/// `EPOLLIN` and the other flags of epoll.
#[derive(Copy, Clone)]
pub(crate) struct EpollFlags(u32);

impl EpollFlags {
    #[cfg(fuzzing)]
    pub(crate) fn from_bits(bits: u32) -> EpollFlags {
        EpollFlags(bits)
    }

    #[inline]
    fn any(self, flags: i32) -> bool {
        self.0 & flags as u32 != 0
    }
}

impl Flags for EpollFlags {
    const WOKEN: EpollFlags = EpollFlags(EPOLLIN as u32);

    #[inline]
    fn readiness(self) -> Readiness {
        let error = self.any(EPOLLERR);
        // After a hang-up both directions are closed. A pipe or terminal reports it without `EPOLLIN`, although reading
        // returns the end of the stream.
        let hung_up = self.any(EPOLLHUP);
        Readiness::EMPTY
            .with(Readiness::READABLE, self.any(EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP))
            .with(Readiness::WRITABLE, self.any(EPOLLOUT))
            .with(Readiness::ERROR, error)
            .with(Readiness::READ_CLOSED, self.any(EPOLLRDHUP | EPOLLHUP))
            .with(Readiness::WRITE_CLOSED, hung_up || error && (self.any(EPOLLOUT) || self.0 == EPOLLERR as u32))
            .with(Readiness::PRIORITY, self.any(EPOLLPRI))
    }
}

impl fmt::Debug for EpollFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags!(f, |flag| self.any(flag), EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP)
    }
}
