//! The backend on `kqueue(2)`, for the BSDs and Apple platforms.
//!
//! A registration consists of up to three *filters* in the kernel, `EVFILT_READ`, `EVFILT_WRITE` and `EVFILT_EXCEPT`, which change
//! and fire independently: a source that is ready in both directions produces two events (one for a one-shot). The decisions are in
//! `logic::kqueue`, and the system calls here.

#![allow(unsafe_code)]
#![allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types of the fields differ by system")]

cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod double;
        use self::double as os;
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
    Change, EV_ADD, EV_CLEAR, Filter, KqueueFlags, NOTE_OOB, NonDefault, PerFilter, additions, change_list,
    deletion_failure, deletions, failure, outcome, reader_is_gone, replacements, stand_in, undoing,
};
use super::unix::emulated::details;
use super::unix::notifier::Notifier;
use super::unix::{TimeLeft, check, check_open, lock, set_cloexec, timespec};
use super::{Backend, TokenAndFlags, Watch};
use crate::Token;
use crate::event::Event;

cfg_if! {
    if #[cfg(target_vendor = "apple")] {
        /// `libc` does not declare it for this system.
        const EVFILT_EXCEPT: i16 = -15;
    } else if #[cfg(target_os = "freebsd")] {
        /// There is none, nor any filter of this number, which the kernel says.
        const EVFILT_EXCEPT: i16 = i16::MIN;
    } else if #[cfg(target_os = "netbsd")] {
        /// There is none, nor any filter of this number, which the kernel says.
        const EVFILT_EXCEPT: u32 = u32::MAX;
    } else {
        use self::os::EVFILT_EXCEPT;
    }
}

/// The waker's `EVFILT_USER` event.
const WAKER: os::uintptr_t = 0;

#[derive(Debug)]
pub(crate) struct Selector {
    kqueue: OwnedFd,
    /// It is locked while a registration changes, so that this and the kernel's filters agree for the thread that holds the lock.
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
            // What stays in the buffer is decided together, in `fire`.
            buffer.retain(|kevent| {
                let flags = flags(kevent);
                if flags.is_for_fire() {
                    return true;
                }
                match filter(kevent) {
                    Filter::User if pipe.is_none() && kevent.ident == WAKER => notified = true,
                    Filter::Read if pipe == Some(kevent.ident) => notified = true,
                    Filter::Proc | Filter::Timer if self.hears_of_exit(kevent) => heard = true,
                    _ => events.push(Event::new(token(kevent), flags)),
                }
                false
            });
            if !buffer.is_empty() {
                self.fire(buffer, events);
            }
            if notified {
                // An error here must not cost the caller the other events.
                let _ = self.notifier.get().map_or(Ok(()), Notifier::seen);
            }

            left = time.left();
            // With neither events nor the time up, those that there were are to be given to nobody. An exit that was heard of
            // has an event of its own by now.
            if notified || !events.is_empty() || left == Some(Duration::ZERO) && !heard {
                return Ok(notified);
            }
        }
    }

    fn register(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        let mut non_default = self.prepare(fd, &watch)?;
        let (changes, receipts, no_reader) = self.watch(fd, &watch, additions(&watch))?;
        if let Some(error) = failure(changes, receipts) {
            // Half a registration is none. If taking it back fails as well, the first error is the one to tell.
            let _ = self.change(fd, watch.token, undoing(changes, receipts));
            non_default.forget(fd);
            return Err(io::Error::from_raw_os_error(error));
        }
        non_default.set(fd, &watch, no_reader);
        Ok(())
    }

    fn reregister(&self, fd: RawFd, _registration: &mut (), watch: Watch) -> io::Result<()> {
        let mut non_default = self.prepare(fd, &watch)?;
        let (changes, receipts, no_reader) = self.watch(fd, &watch, replacements(&watch, non_default.present(fd)))?;
        // After a failure the other filter stays as it is wanted: what it was before is not known any more.
        non_default.set(fd, &watch, no_reader);
        failure(changes, receipts).map_or(Ok(()), |error| Err(io::Error::from_raw_os_error(error)))
    }

    fn deregister(&self, fd: RawFd, _registration: &mut ()) -> io::Result<()> {
        let mut non_default = lock(&self.non_default);
        let changes = deletions(non_default.present(fd));
        let receipts = self.change(fd, Token(0), changes)?;
        non_default.forget(fd);
        let error = deletion_failure(changes, receipts, || has_ended(fd));
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
        Ok(non_default)
    }

    /// Makes `changes`, which register `fd` as `watch` says. Returns those that were made in the end, what became of them,
    /// and whether it is a pipe without a reader, of which `EVFILT_READ` tells then.
    fn watch(
        &self,
        fd: RawFd,
        watch: &Watch,
        mut changes: PerFilter<u16>,
    ) -> io::Result<(PerFilter<u16>, PerFilter<i32>, bool)> {
        let mut receipts = self.change(fd, watch.token, changes)?;
        let no_reader = reader_is_gone(receipts, || check_open(fd).is_ok());
        if no_reader {
            let instead = stand_in(watch);
            let [read, write, _] = self.change(fd, watch.token, instead)?;
            (changes, receipts) = ([instead[0], instead[1], changes[2]], [read, write, receipts[2]]);
        }
        Ok((changes, receipts, no_reader))
    }

    /// Changes the filters of `fd`. Returns the result of each change: zero or `errno`.
    fn change(&self, fd: RawFd, token: Token, changes: PerFilter<u16>) -> io::Result<PerFilter<i32>> {
        let mut list = [os::kevent { ident: fd as os::uintptr_t, udata: udata(token), ..no_event() }; 3];
        let mut count = 0;
        for Change { filter, flags } in change_list(changes) {
            (list[count].filter, list[count].fflags) = match filter {
                Filter::Read => (os::EVFILT_READ, 0),
                Filter::Except => (EVFILT_EXCEPT, NOTE_OOB),
                _ => (os::EVFILT_WRITE, 0),
            };
            list[count].flags = flags.into();
            count += 1;
        }
        if count == 0 {
            return Ok([None; 3]);
        }
        // There is room only for the receipts. The time-out of zero makes sure that the call does not wait in any case.
        let mut receipts = [MaybeUninit::uninit(); 3];
        let written = match self.kevent(&list[..count], &mut receipts[..count], Some(Duration::ZERO)) {
            Ok(written) => written,
            // Interrupted after all changes were made.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel has written that many receipts.
        let receipts = receipts[..written].iter().map(|receipt| unsafe { receipt.assume_init_ref() });
        let receipts = receipts.map(|receipt| (filter(receipt), receipt.flags as u16, receipt.data as i32));
        Ok(outcome(changes, receipts))
    }

    /// Adds the waker's user event. Returns false where the waker has to be a pipe: if that is asked for, or the kernel does
    /// not know `EVFILT_USER` (NetBSD does since 10, OpenBSD since 7.8; the others do for longer).
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

    /// Changes the waker's user event. The kernel does not hold its token, because the poller might read it while another thread
    /// changes it.
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

    /// Gives one event for the filters of a registration that have `fired`, if they are news.
    #[cold]
    fn fire(&self, fired: &mut [os::kevent], events: &mut Vec<Event>) {
        // The filters of a registration side by side, in their order.
        fired.sort_unstable_by_key(|kevent| (kevent.ident, token(kevent), filter(kevent)));
        let mut non_default = lock(&self.non_default);
        for filters in fired.chunk_by(|a, b| (a.ident, token(a)) == (b.ident, token(b))) {
            let (fd, token) = (filters[0].ident as RawFd, token(&filters[0]));
            let (flags, changes) = non_default.fire(fd, token, filters.iter().map(flags));
            // It can fail only if the descriptor was closed meanwhile, and its filters with it.
            let _ = self.change(fd, token, changes);
            events.extend(flags.map(|flags| Event::new(token, flags)));
        }
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}

/// Whether a descriptor says that its other end is gone, or that it is dead itself.
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
