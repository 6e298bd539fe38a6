//! The backend on `kqueue(2)`, for the BSDs and Apple platforms.
//!
//! A registration consists of up to three *filters* in the kernel, `EVFILT_READ`, `EVFILT_WRITE` and `EVFILT_EXCEPT`, which
//! change and fire independently: a source that is ready in both directions produces two events (one for a one-shot). The
//! decisions are in `logic::kqueue`, and the system calls here.

#![allow(unsafe_code)]
#![allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types of the fields differ by system")]

cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod linux_double;
        use self::linux_double as os;
    } else {
        use libc as os;
    }
}
pub(super) mod exits;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use self::exits::Exits;
use super::common::kernel::Buffer;
use super::logic::kqueue::{
    ENDS_GO_UNHEARD, EV_ADD, EV_CLEAR, EV_DELETE, EV_ENABLE, End, Filter, KqueueFlags, NOTE_OOB, NonDefault, PerFilter,
    REMINDER, additions, change_list, deletion_failure, deletions, failure, mode, one_way, outcome, reader_is_gone,
    replacements, stand_in,
};
use super::unix::emulated::details;
use super::unix::identity::File;
use super::unix::notifier::Notifier;
use super::unix::{TimeLeft, check, check_open, lock, set_cloexec, timespec};
use super::{Backend, TokenAndFlags, Watch};
use crate::event::Event;
use crate::{Token, Trigger};

cfg_if! {
    if #[cfg(target_vendor = "apple")] {
        /// `libc` does not declare it for this system.
        const EVFILT_EXCEPT: i16 = -15;
    } else if #[cfg(target_os = "freebsd")] {
        /// The system has no such filter, and the kernel rejects this number.
        const EVFILT_EXCEPT: i16 = i16::MIN;
    } else if #[cfg(target_os = "netbsd")] {
        /// The system has no such filter, and the kernel rejects this number.
        const EVFILT_EXCEPT: u32 = u32::MAX;
    } else {
        use self::os::EVFILT_EXCEPT;
    }
}

// The numbers of `EVFILT_USER` events and timers. Those of children are these, too: the number of the child, with all its bits
// inverted. A program may have such events of its own on this queue, with smaller numbers (see `Registry::with_fd`).

/// The waker's `EVFILT_USER` event. No child has the number 0.
const WAKER: os::uintptr_t = !0;

/// The sum of this and a descriptor is the number of the `EVFILT_USER` event of a pipe that has ended.
const END: os::uintptr_t = 1 << (os::uintptr_t::BITS - 2);

#[derive(Debug)]
pub(crate) struct Selector {
    kqueue: OwnedFd,
    /// It is locked while a registration changes, so that this and the kernel's filters agree for the thread that holds the
    /// lock.
    non_default: Mutex<NonDefault>,
    exits: Exits,
    /// The waker's pipe, unless the waker is a user event.
    notifier: OnceLock<Notifier>,
}

impl Backend for Selector {
    type Buffer = Buffer<os::kevent>;
    type Registration = ();
    type Event = TokenAndFlags<KqueueFlags>;

    fn new() -> io::Result<Selector> {
        // SAFETY: the call takes no argument; the descriptor is new, and nothing else owns it.
        let kqueue = unsafe { OwnedFd::from_raw_fd(check(os::kqueue())?) };
        set_cloexec(&kqueue)?;
        Ok(Selector { kqueue, non_default: Mutex::default(), exits: Exits::default(), notifier: OnceLock::new() })
    }

    fn buffer(capacity: usize) -> Buffer<os::kevent> {
        Buffer(Vec::with_capacity(capacity))
    }

    #[inline]
    fn select(
        &self,
        Buffer(buffer): &mut Buffer<os::kevent>,
        events: &mut Vec<Event>,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        let time = TimeLeft::new(timeout);
        let mut left = timeout;
        loop {
            self.wait(buffer, left)?;

            let pipe = self.notifier.get().map(|notifier| notifier.as_raw_fd() as os::uintptr_t);
            let mut notified = false;
            let mut heard = false;
            // `fire` decides about the events that stay in the buffer, together.
            buffer.retain_mut(|kevent| {
                let flags = flags(kevent);
                if flags.is_for_fire() {
                    return true;
                }
                match filter(kevent) {
                    Filter::User if pipe.is_none() && kevent.ident == WAKER => notified = true,
                    Filter::User if (END..2 * END).contains(&{ kevent.ident }) => {
                        kevent.ident -= END;
                        return true;
                    }
                    Filter::Read if pipe == Some(kevent.ident) => notified = true,
                    Filter::Proc | Filter::Timer if self.hears_of_exit(kevent) => heard = true,
                    _ => events.push(Event::new(token(kevent), flags)),
                }
                false
            });
            if !buffer.is_empty() {
                heard |= self.fire(buffer, events);
            }
            if notified {
                // An error here must not cost the caller the other events.
                let _ = self.notifier.get().map_or(Ok(()), Notifier::seen);
            }

            left = time.left();
            // If there are no events and time is left, none of the kernel's events was for the program. The exit of a child and
            // the end of a pipe have an event of their own by now, which the next wait returns.
            if notified || !events.is_empty() || left == Some(Duration::ZERO) && !heard {
                return Ok(notified);
            }
        }
    }

    fn register(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        let mut non_default = self.prepare(fd, &watch)?;
        let file = identify(fd, &watch);
        let result = self.watch(fd, &watch, additions(&watch), file);
        match result {
            Ok(end) => non_default.set(fd, &watch, end, file),
            Err(_) => {
                // No half of the registration may stay. If removing it fails as well, the caller gets the first error.
                let _ = self.change(fd, watch.token, deletions([Some(()); 3]));
                non_default.forget(fd);
            }
        }
        result.map(drop)
    }

    fn reregister(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        let mut non_default = self.prepare(fd, &watch)?;
        let file = identify(fd, &watch);
        let changes = replacements(&watch, non_default.present(fd));
        let result = self.watch(fd, &watch, changes, file);
        // If one filter fails, the others stay as requested, because their previous state is no longer known.
        non_default.set(fd, &watch, *result.as_ref().unwrap_or(&End::Write), file);
        result.map(drop)
    }

    fn deregister(&self, fd: RawFd, _registration: &mut ()) -> io::Result<()> {
        let mut non_default = lock(&self.non_default);
        let changes = deletions(non_default.present(fd));
        let receipts = self.change(fd, Token(0), changes)?;
        let end = non_default.end(fd);
        self.delete_user_event(fd, end)?;
        non_default.forget(fd);
        let error = deletion_failure(changes, receipts, || end == End::Nobody || has_ended(fd));
        error.map_or(Ok(()), |error| Err(io::Error::from_raw_os_error(error)))
    }

    fn set_waker(&self, token: Token) -> io::Result<()> {
        if self.add_user_event()? {
            return Ok(());
        }
        let notifier = Notifier::new()?;
        let changes = [Some(EV_ADD | EV_CLEAR), None, None];
        let receipts = self.change(notifier.as_raw_fd(), token, changes)?;
        if let Some(error) = failure(changes, receipts) {
            return Err(io::Error::from_raw_os_error(error));
        }
        // This does not fail, because it is called only once.
        let _ = self.notifier.set(notifier);
        Ok(())
    }

    fn notify(&self) -> io::Result<()> {
        match self.notifier.get() {
            Some(notifier) => notifier.notify(),
            None => self.change_waker(0, os::NOTE_TRIGGER),
        }
    }
}

impl Selector {
    /// Calls `kevent(2)`. Returns how many receipts or events the kernel has written.
    #[inline]
    fn kevent(
        &self,
        changes: &[os::kevent],
        written: &mut [MaybeUninit<os::kevent>],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let kqueue = self.kqueue.as_raw_fd();
        let room = written.len().min(i32::MAX as usize);
        let written = written.as_mut_ptr().cast();
        let timeout = timeout.map(timespec);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the kernel reads that many changes, and the time, and writes no more events than there is room for.
        match check(unsafe { os::kevent(kqueue, changes.as_ptr(), changes.len() as _, written, room as _, timeout) }) {
            Ok(count) => Ok(count as usize),
            // Apple's kernel returns this for some time-outs: https://github.com/golang/go/issues/59679.
            Err(error) if error.raw_os_error() == Some(libc::ETIMEDOUT) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Refuses a source that cannot be watched, and deletes filters of another mode, because a mode cannot be changed.
    fn prepare(&self, fd: RawFd, watch: &Watch) -> io::Result<MutexGuard<'_, NonDefault>> {
        if additions(watch) == [None; 3] {
            let reason =
                "`Interest::AIO` and `Interest::LIO` cannot watch a descriptor: an AIO request names its queue itself";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let non_default = lock(&self.non_default);
        if non_default.mode_changes(fd, watch) {
            // If a deletion fails, the filter did not exist. If the descriptor is invalid, the change that follows reports it.
            self.change(fd, watch.token, deletions(non_default.present(fd)))?;
        }
        self.delete_user_event(fd, non_default.end(fd))?;
        Ok(non_default)
    }

    /// Makes `changes`, which register `fd` as `watch` says. Returns what reports the end of a pipe.
    fn watch(&self, fd: RawFd, watch: &Watch, mut changes: PerFilter<u16>, file: Option<File>) -> io::Result<End> {
        let is_pipe = || file.or_else(|| File::of(fd)).is_some_and(|file| file.is_pipe());
        let (mut receipts, is_refused) = one_way(changes, self.change(fd, watch.token, changes)?, is_pipe);
        let mut end = if is_refused { End::Nobody } else { End::Write };
        if reader_is_gone(receipts, || check_open(fd).is_ok()) {
            let instead = stand_in(watch);
            let [read, write, _] = self.change(fd, watch.token, instead)?;
            (changes, receipts) = ([instead[0], instead[1], changes[2]], [read, write, receipts[2]]);
            end = End::Read;
            if read == Some(libc::EINVAL) {
                self.change_user_event(fd, watch.token, EV_ADD | EV_ENABLE | mode(watch.trigger))?;
                (changes[0], end) = (None, End::User);
            }
        } else if ENDS_GO_UNHEARD && !is_refused && watch.interest.is_writable() && is_pipe() {
            // If the kernel refuses `EVFILT_READ`, nothing reports the end of a full pipe.
            if watch.interest.is_readable() || self.change(fd, watch.token, REMINDER)?[0] == Some(0) {
                end = End::Reminded;
            }
        }
        failure(changes, receipts).map_or(Ok(end), |error| Err(io::Error::from_raw_os_error(error)))
    }

    /// Changes the filters of `fd`. Returns the result of each change: zero or `errno`.
    fn change(&self, fd: RawFd, token: Token, changes: PerFilter<u16>) -> io::Result<PerFilter<i32>> {
        let count = changes.iter().flatten().count();
        if count == 0 {
            return Ok([None; 3]);
        }
        let mut list = [os::kevent { ident: fd as os::uintptr_t, udata: udata(token), ..no_event() }; 3];
        for (change, (filter, flags)) in list.iter_mut().zip(change_list(changes)) {
            (change.filter, change.fflags) = match filter {
                Filter::Read => (os::EVFILT_READ, 0),
                Filter::Except => (EVFILT_EXCEPT, NOTE_OOB),
                _ => (os::EVFILT_WRITE, 0),
            };
            change.flags = flags.into();
        }
        // There is room only for the receipts. The time-out of zero makes sure that the call does not wait in any case.
        let mut receipts = [MaybeUninit::uninit(); 3];
        let adds = changes.iter().flatten().any(|flags| flags & EV_ADD != 0);
        let written = loop {
            match self.kevent(&list[..count], &mut receipts[..count], Some(Duration::ZERO)) {
                Ok(written) => break written,
                // If a change has no receipt, it was made. Adding a filter again does no harm.
                Err(error) if error.kind() == io::ErrorKind::Interrupted && adds => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => break 0,
                Err(error) => return Err(error),
            }
        };
        // SAFETY: the kernel has written that many receipts.
        let receipts = receipts[..written].iter().map(|receipt| unsafe { receipt.assume_init_ref() });
        let receipts = receipts.map(|receipt| (filter(receipt), receipt.flags as u16, receipt.data as i32));
        Ok(outcome(changes, receipts))
    }

    /// Changes the `EVFILT_USER` event that reports the end of a pipe. If this adds the event, it also triggers it.
    fn change_user_event(&self, fd: RawFd, token: Token, flags: u16) -> io::Result<()> {
        let ident = END + fd as os::uintptr_t;
        let change = os::kevent { ident, filter: os::EVFILT_USER, udata: udata(token), ..no_event() };
        self.kevent(&[os::kevent { flags: flags.into(), ..change }], &mut [], None)?;
        if flags & EV_ADD == 0 {
            return Ok(());
        }
        // Some kernels cannot trigger an event in the same change that adds it.
        let result = self.kevent(&[os::kevent { fflags: os::NOTE_TRIGGER, ..change }], &mut [], None);
        if result.is_err() {
            let _ = self.change_user_event(fd, token, EV_DELETE);
        }
        result.map(drop)
    }

    fn delete_user_event(&self, fd: RawFd, end: End) -> io::Result<()> {
        if end != End::User {
            return Ok(());
        }
        unless_gone(self.change_user_event(fd, Token(0), EV_DELETE))
    }

    /// Adds the waker's user event. Returns false if the waker has to be a pipe, because a flag asks for it, or because the
    /// kernel does not know `EVFILT_USER` (NetBSD has had it since version 10, OpenBSD since 7.8, and the others for longer).
    fn add_user_event(&self) -> io::Result<bool> {
        if cfg!(mio_unsupported_force_waker_pipe) {
            return Ok(false);
        }
        match self.change_waker(EV_ADD | EV_CLEAR, 0) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes the waker's user event. The kernel does not hold its token, because the poller might read it while another
    /// thread changes it.
    fn change_waker(&self, flags: u16, fflags: u32) -> io::Result<()> {
        let change = os::kevent { ident: WAKER, filter: os::EVFILT_USER, flags: flags.into(), fflags, ..no_event() };
        self.kevent(&[change], &mut [], None).map(drop)
    }

    /// Waits for events, which replace what is in `buffer`.
    fn wait(&self, buffer: &mut Vec<os::kevent>, timeout: Option<Duration>) -> io::Result<()> {
        buffer.clear();
        let count = self.kevent(&[], buffer.spare_capacity_mut(), timeout)?;
        // SAFETY: the kernel has filled that many events.
        unsafe { buffer.set_len(count) };
        Ok(())
    }

    /// Reports one event for all filters of a registration that have `fired`, if they are news. Returns whether there may be
    /// another event by now.
    #[cold]
    fn fire(&self, fired: &mut [os::kevent], events: &mut Vec<Event>) -> bool {
        // This brings the filters of a registration together, in their order.
        fired.sort_unstable_by_key(|kevent| (kevent.ident, token(kevent), filter(kevent)));
        let mut non_default = lock(&self.non_default);
        let mut reminded = false;
        for filters in fired.chunk_by(|a, b| (a.ident, token(a)) == (b.ident, token(b))) {
            let (fd, token) = (filters[0].ident as RawFd, token(&filters[0]));
            let has_user_event = non_default.end(fd) == End::User;
            let file_now = || File::of(fd).filter(|_| !has_user_event || has_ended(fd));
            let fired = non_default.fire(fd, token, filters.iter().map(flags), file_now);
            // These fail only if the descriptor was closed in the meantime, which has deleted its filters.
            let _ = self.change(fd, token, fired.changes);
            if let Some(flags) = fired.user {
                let _ = self.change_user_event(fd, token, flags);
            }
            reminded |= fired.changes[1].is_some();
            events.extend(fired.told.map(|flags| Event::new(token, flags)));
        }
        reminded
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}

/// Converts the result of deleting a filter that may be gone already.
fn unless_gone(deleted: io::Result<()>) -> io::Result<()> {
    match deleted {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// Returns the file that `fd` stands for, if `fire` may add a filter later, when the program may have closed the descriptor.
fn identify(fd: RawFd, watch: &Watch) -> Option<File> {
    let may_be_added_to = watch.trigger == Trigger::Level || ENDS_GO_UNHEARD && watch.interest.is_writable();
    may_be_added_to.then(|| File::of(fd)).flatten()
}

/// Returns whether a descriptor reports that its other end is gone, or that it is dead itself.
#[cold]
fn has_ended(fd: RawFd) -> bool {
    details(fd, libc::POLLOUT) & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
}

fn no_event() -> os::kevent {
    // SAFETY: it consists of numbers and a pointer, so all zeros is a valid value.
    unsafe { std::mem::zeroed() }
}

/// Converts a token to a pointer, which has the same width, on 32-bit systems as well.
fn udata(token: Token) -> *mut libc::c_void {
    ptr::without_provenance_mut(token.0)
}

fn token(kevent: &os::kevent) -> Token {
    Token(kevent.udata.addr())
}

fn flags(kevent: &os::kevent) -> KqueueFlags {
    KqueueFlags::new(filter(kevent), kevent.flags as u16, kevent.fflags)
}

fn filter(kevent: &os::kevent) -> Filter {
    match kevent.filter {
        os::EVFILT_READ => Filter::Read,
        os::EVFILT_WRITE => Filter::Write,
        EVFILT_EXCEPT => Filter::Except,
        os::EVFILT_AIO => Filter::Aio,
        #[cfg(target_os = "freebsd")]
        os::EVFILT_LIO => Filter::Lio,
        os::EVFILT_USER => Filter::User,
        os::EVFILT_VNODE => Filter::Vnode,
        os::EVFILT_PROC => Filter::Proc,
        os::EVFILT_SIGNAL => Filter::Signal,
        os::EVFILT_TIMER => Filter::Timer,
        _ => Filter::Other,
    }
}

// The numbers in `logic::kqueue` must be this system's. (All flags fit into 16 bits, whatever type they have here.)
const _: () = {
    use super::logic::kqueue as logic;

    assert!(
        logic::EV_ADD as u32 == os::EV_ADD as u32
            && logic::EV_DELETE as u32 == os::EV_DELETE as u32
            && logic::EV_ENABLE as u32 == os::EV_ENABLE as u32
            && logic::EV_DISABLE as u32 == os::EV_DISABLE as u32
            && logic::EV_ONESHOT as u32 == os::EV_ONESHOT as u32
            && logic::EV_CLEAR as u32 == os::EV_CLEAR as u32
            && logic::EV_RECEIPT as u32 == os::EV_RECEIPT as u32
            && logic::EV_DISPATCH as u32 == os::EV_DISPATCH as u32
            && logic::EV_ERROR as u32 == os::EV_ERROR as u32
            && logic::EV_EOF as u32 == os::EV_EOF as u32
    );
};

#[cfg(all(test, feature = "os-poll"))]
mod tests {
    use super::*;
    use crate::{Events, Poll, Waker};

    #[test]
    fn a_program_may_have_user_events_with_small_numbers() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let waker = Waker::new(poll.registry(), Token(1)).unwrap();
        for (flags, fflags) in [(EV_ADD | EV_CLEAR, 0), (0, os::NOTE_TRIGGER), (EV_DELETE, 0)] {
            let change = os::kevent {
                ident: 0,
                filter: os::EVFILT_USER,
                flags: flags.into(),
                fflags,
                udata: udata(Token(2)),
                ..no_event()
            };
            let result = poll.registry().queue().backend.kevent(&[change], &mut [], None);
            if result.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL)) {
                return; // this kernel has no such events
            }
            if fflags != 0 {
                poll.poll(&mut events, None).unwrap();
                assert_eq!(events.iter().map(Event::token).collect::<Vec<_>>(), [Token(2)]);
            }
        }
        waker.wake().unwrap();
        poll.poll(&mut events, None).unwrap();
        assert_eq!(events[0].token(), Token(1));
    }
}
