//! All that is decided about kqueue: the changes that a registration makes, what their receipts mean, when a one-shot
//! has fired, what an event says. On plain data and without system calls, so that its tests run on every Unix.

use std::fmt;
use std::os::fd::RawFd;

use crate::event::{Readiness, write_names};
use crate::sys::by_descriptor::ByDescriptor;
use crate::sys::{Flags, Watch};
use crate::{Token, Trigger};

// The same numbers on every system; the compiler compares them with those of `libc` where that has them.
pub(super) const EV_ADD: u16 = 0x1;
pub(super) const EV_DELETE: u16 = 0x2;
pub(super) const EV_ENABLE: u16 = 0x4;
pub(super) const EV_DISABLE: u16 = 0x8;
pub(super) const EV_ONESHOT: u16 = 0x10;
pub(super) const EV_CLEAR: u16 = 0x20;
pub(super) const EV_RECEIPT: u16 = 0x40;
pub(super) const EV_DISPATCH: u16 = 0x80;
pub(super) const EV_ERROR: u16 = 0x4000;
pub(super) const EV_EOF: u16 = 0x8000;

/// One of each for `EVFILT_READ` and `EVFILT_WRITE`, in this order; `None` where that filter is left alone.
pub(super) type PerFilter<T> = [Option<T>; 2];

/// The flags that make the filters of a registration fire as its trigger says.
///
/// `EV_DISPATCH` rather than `EV_ONESHOT`: the filter is disabled when it has fired, not deleted, so that ending the
/// registration still finds it.
pub(super) fn mode(trigger: Trigger) -> u16 {
    match trigger {
        Trigger::Level => 0,
        Trigger::OneShot => EV_DISPATCH,
        _ => EV_CLEAR,
    }
}

/// The flags for each filter that `watch` asks for. Those of a registration that exists are re-armed.
pub(super) fn additions(watch: &Watch) -> PerFilter<u16> {
    let flags = EV_ADD | EV_ENABLE | mode(watch.trigger);
    [watch.interest.is_readable().then_some(flags), watch.interest.is_writable().then_some(flags)]
}

/// As [`additions`]; the filters that `watch` does not ask for are deleted.
pub(super) fn replacements(watch: &Watch) -> PerFilter<u16> {
    additions(watch).map(|flags| flags.or(Some(EV_DELETE)))
}

/// Both filters with the same flags.
pub(super) fn both(flags: u16) -> PerFilter<u16> {
    [Some(flags); 2]
}

/// One change: what the kernel reads as a `kevent`, but for what all of a registration's have in common.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) filter: Filter,
    pub(super) flags: u16,
}

/// The list of `changes`.
///
/// Each asks for its receipt, which has two effects: one that fails does not keep the kernel from making the others, and
/// what the kernel writes are receipts alone, so that no event is taken out of the queue and lost.
pub(super) fn change_list(changes: PerFilter<u16>) -> impl Iterator<Item = Change> {
    let change = |(filter, flags): (_, Option<_>)| flags.map(|flags| Change { filter, flags: flags | EV_RECEIPT });
    [Filter::Read, Filter::Write].into_iter().zip(changes).filter_map(change)
}

/// What became of each of `changes`: zero or `errno`, by what the kernel wrote in answer: a filter, its flags and `data`.
///
/// A change that there is no receipt of was made: the kernel was interrupted after it, and has no room to say so.
pub(super) fn outcome(
    changes: PerFilter<u16>,
    receipts: impl Iterator<Item = (Filter, u16, i32)> + Clone,
) -> PerFilter<i32> {
    let of = |wanted| {
        let receipt = |(filter, flags, errno)| (filter == wanted && flags & EV_ERROR != 0).then_some(errno);
        receipts.clone().find_map(receipt).unwrap_or(0)
    };
    [changes[0].map(|_| of(Filter::Read)), changes[1].map(|_| of(Filter::Write))]
}

/// What takes back those `changes` that succeeded.
pub(super) fn undoing(changes: PerFilter<u16>, receipts: PerFilter<i32>) -> PerFilter<u16> {
    let undo = |filter: usize| match (changes[filter], receipts[filter]) {
        (Some(flags), Some(0)) if flags & EV_ADD != 0 => Some(EV_DELETE),
        _ => None,
    };
    [undo(0), undo(1)]
}

/// The first error among the receipts of `changes` that is one: `errno`.
pub(super) fn failure(changes: PerFilter<u16>, receipts: PerFilter<i32>) -> Option<i32> {
    let failed = |filter: usize| {
        let (flags, errno) = (changes[filter]?, receipts[filter]?);
        is_failure(flags, errno, cfg!(target_vendor = "apple")).then_some(errno)
    };
    failed(0).or_else(|| failed(1))
}

fn is_failure(flags: u16, errno: i32, apple: bool) -> bool {
    match errno {
        0 => false,
        // The filter was never added, or went with an earlier descriptor of the same number: as it is wanted.
        libc::ENOENT => flags != EV_DELETE,
        // OS X 10.10 and 10.11 say so of a pipe whose other end is closed, and watch it all the same. FreeBSD says so
        // and does not: there it is an error.
        libc::EPIPE => !apple,
        _ => true,
    }
}

/// The error of ending a registration with [`EV_DELETE`] for both filters: there was none if neither filter was found.
pub(super) fn deletion_failure(receipts: PerFilter<i32>) -> Option<i32> {
    failure(both(EV_DELETE), receipts)
        .or_else(|| receipts.iter().all(|&receipt| receipt == Some(libc::ENOENT)).then_some(libc::ENOENT))
}

/// The registrations that are not edge-triggered, by descriptor.
///
/// Edge-triggered ones need no memory. Of others it is needed for two reasons. Adding a filter anew changes neither
/// `EV_CLEAR` nor `EV_DISPATCH`, so a change of trigger has to delete first; and a one-shot of two directions is two
/// filters in the kernel, of which each fires once.
///
/// A descriptor that is closed without being deregistered stays noted until its number is registered again; until then
/// nothing asks for it.
#[derive(Debug, Default)]
pub(super) struct Notes(ByDescriptor<Note>);

#[derive(Debug)]
struct Note {
    mode: u16,
    /// The token of a one-shot that has not fired.
    armed: Option<Token>,
    two_filters: bool,
}

impl Notes {
    /// Whether the filters of `fd`, if there are any, were added in another mode than `watch` asks for.
    pub(super) fn mode_changes(&self, fd: RawFd, watch: &Watch) -> bool {
        self.0.get(fd).map_or(EV_CLEAR, |note| note.mode) != mode(watch.trigger)
    }

    /// `fd` is registered as `watch` says from now on.
    pub(super) fn set(&mut self, fd: RawFd, watch: &Watch) {
        let one_shot = watch.trigger == Trigger::OneShot;
        let note = Note {
            mode: mode(watch.trigger),
            armed: one_shot.then_some(watch.token),
            two_filters: watch.interest.is_readable() && watch.interest.is_writable(),
        };
        if note.mode == EV_CLEAR {
            self.forget(fd);
        } else {
            self.0.insert(fd, note);
        }
    }

    pub(super) fn forget(&mut self, fd: RawFd) {
        self.0.remove(fd);
    }

    /// A one-shot filter of `fd`, or both, fired with `token`. Returns the changes that keep it from firing again.
    ///
    /// Or nothing, if the registration was replaced, was ended, or has fired already: between the kernel's giving the
    /// event and this call, another thread may have registered the descriptor anew, and that is still due its event.
    pub(super) fn fire(&mut self, fd: RawFd, token: Token) -> Option<PerFilter<u16>> {
        let note = self.0.get_mut(fd).filter(|note| note.armed == Some(token))?;
        note.armed = None;
        Some(if note.two_filters { both(EV_DISABLE) } else { [None; 2] })
    }
}

/// `EVFILT_READ` and its like: those that this crate registers, and those that a program may on the queue's descriptor.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    Read,
    Write,
    Aio,
    Lio,
    User,
    Vnode,
    Proc,
    Signal,
    Timer,
    Other,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Filter::Read => "EVFILT_READ",
            Filter::Write => "EVFILT_WRITE",
            Filter::Aio => "EVFILT_AIO",
            Filter::Lio => "EVFILT_LIO",
            Filter::User => "EVFILT_USER",
            Filter::Vnode => "EVFILT_VNODE",
            Filter::Proc => "EVFILT_PROC",
            Filter::Signal => "EVFILT_SIGNAL",
            Filter::Timer => "EVFILT_TIMER",
            Filter::Other => "EVFILT_(other)",
        })
    }
}

/// What one `kevent` says; or two, of a one-shot whose two filters fired together.
#[derive(Copy, Clone)]
pub(crate) struct KqueueFlags {
    filter: Filter,
    flags: u16,
    fflags: u32,
    /// The flags of `EVFILT_WRITE`, if the event stands for it as well.
    write: Option<u16>,
}

impl KqueueFlags {
    pub(crate) fn new(filter: Filter, flags: u16, fflags: u32) -> KqueueFlags {
        KqueueFlags { filter, flags, fflags, write: None }
    }

    /// Whether the event is of a one-shot.
    pub(super) fn is_one_shot(self) -> bool {
        self.flags & EV_DISPATCH != 0 && matches!(self.filter, Filter::Read | Filter::Write)
    }

    /// One event of `EVFILT_READ` and one of `EVFILT_WRITE`, in this order, as one.
    pub(crate) fn and(self, write: KqueueFlags) -> KqueueFlags {
        let fflags = if self.fflags == 0 { write.fflags } else { self.fflags };
        KqueueFlags { write: Some(write.flags), fflags, ..self }
    }
}

impl Flags for KqueueFlags {
    const WOKEN: KqueueFlags = KqueueFlags { filter: Filter::User, flags: EV_CLEAR, fflags: 0, write: None };

    #[inline]
    fn readiness(self) -> Readiness {
        let readiness = readiness(self.filter, self.flags, self.fflags);
        match self.write {
            None => readiness,
            Some(write) => readiness.with(self::readiness(Filter::Write, write, self.fflags), true),
        }
    }
}

/// What one filter says.
///
/// `EV_EOF` means that its own direction is closed: of `EVFILT_READ`, that the peer has shut its writing side or is
/// gone; of `EVFILT_WRITE`, that the peer is gone or that *we* have shut our writing side. So after our own
/// `shutdown(Write)` an event says "write closed", which is the case, and never "read closed". With it, `fflags` is the
/// socket's error, if it has one.
#[inline]
fn readiness(filter: Filter, flags: u16, fflags: u32) -> Readiness {
    let read = filter == Filter::Read;
    let write = filter == Filter::Write;
    // Of a process, `EV_EOF` and `fflags` tell that it has ended.
    let end = flags & EV_EOF != 0 && (read || write);
    Readiness::EMPTY
        .with(Readiness::READABLE, read || filter == Filter::User)
        .with(Readiness::WRITABLE, write)
        .with(Readiness::ERROR, flags & EV_ERROR != 0 || end && fflags != 0)
        .with(Readiness::READ_CLOSED, read && end)
        .with(Readiness::WRITE_CLOSED, write && end)
        .with(Readiness::AIO, filter == Filter::Aio)
        .with(Readiness::LIO, filter == Filter::Lio)
}

impl fmt::Debug for KqueueFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("kevent");
        debug.field("filter", &self.filter).field("flags", &FlagNames(self.flags)).field("fflags", &self.fflags);
        if let Some(write) = self.write {
            debug.field("and", &Filter::Write).field("write_flags", &FlagNames(write));
        }
        debug.finish()
    }
}

struct FlagNames(u16);

impl fmt::Debug for FlagNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |flags| self.0 & flags != 0;
        let names = [
            (any(EV_ADD), "EV_ADD"),
            (any(EV_DELETE), "EV_DELETE"),
            (any(EV_ENABLE), "EV_ENABLE"),
            (any(EV_DISABLE), "EV_DISABLE"),
            (any(EV_ONESHOT), "EV_ONESHOT"),
            (any(EV_CLEAR), "EV_CLEAR"),
            (any(EV_RECEIPT), "EV_RECEIPT"),
            (any(EV_DISPATCH), "EV_DISPATCH"),
            (any(EV_ERROR), "EV_ERROR"),
            (any(EV_EOF), "EV_EOF"),
        ];
        write_names(f, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interest;

    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

    fn watch(interest: Interest, trigger: Trigger) -> Watch {
        Watch { token: Token(usize::MAX), interest, trigger }
    }

    #[test]
    fn only_what_is_asked_for_is_added() {
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR;
        assert_eq!(additions(&watch(Interest::READABLE, Trigger::Edge)), [Some(edge), None]);
        assert_eq!(additions(&watch(Interest::WRITABLE, Trigger::Edge)), [None, Some(edge)]);
        assert_eq!(additions(&watch(BOTH, Trigger::Edge)), [Some(edge); 2]);
    }

    #[test]
    fn a_level_trigger_is_the_absence_of_ev_clear_and_a_one_shot_is_ev_dispatch() {
        assert_eq!(additions(&watch(BOTH, Trigger::Level)), [Some(EV_ADD | EV_ENABLE); 2]);
        assert_eq!(additions(&watch(BOTH, Trigger::OneShot)), [Some(EV_ADD | EV_ENABLE | EV_DISPATCH); 2]);
    }

    #[test]
    fn a_replacement_deletes_what_is_not_asked_for_any_more() {
        let [read, write] = replacements(&watch(Interest::READABLE, Trigger::Edge));
        assert_eq!(read, Some(EV_ADD | EV_ENABLE | EV_CLEAR));
        assert_eq!(write, Some(EV_DELETE));
    }

    #[test]
    fn every_change_asks_for_its_receipt() {
        let list = |changes| change_list(changes).map(|change| (change.filter, change.flags)).collect::<Vec<_>>();
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR | EV_RECEIPT;
        let reader = watch(Interest::READABLE, Trigger::Edge);
        assert_eq!(list(additions(&reader)), [(Filter::Read, edge)]);
        assert_eq!(list(replacements(&reader)), [(Filter::Read, edge), (Filter::Write, EV_DELETE | EV_RECEIPT)]);
        assert_eq!(list(both(EV_DELETE)).len(), 2);
        assert_eq!(list([None; 2]), []);
    }

    #[test]
    fn each_receipt_is_judged_for_its_own_filter() {
        let both = both(EV_ADD);
        let reader = [Some(EV_ADD), None];
        let (read, write) = (Filter::Read, Filter::Write);
        let rows = [
            ("both were made", both, vec![(read, EV_ERROR, 0), (write, EV_ERROR, 0)], [Some(0), Some(0)]),
            (
                "the first failed, and hides nothing of the second",
                both,
                vec![(read, EV_ERROR, libc::ENOENT), (write, EV_ERROR, libc::EPIPE)],
                [Some(libc::ENOENT), Some(libc::EPIPE)],
            ),
            (
                "in another order",
                both,
                vec![(write, EV_ERROR, libc::EINVAL), (read, EV_ERROR, 0)],
                [Some(0), Some(libc::EINVAL)],
            ),
            ("interrupted after the changes were made", both, vec![], [Some(0), Some(0)]),
            ("an event is no receipt", both, vec![(read, EV_CLEAR, 17), (write, EV_ERROR, 0)], [Some(0), Some(0)]),
            ("one change", reader, vec![(read, EV_ERROR, libc::EBADF)], [Some(libc::EBADF), None]),
        ];
        for (name, changes, receipts, expected) in rows {
            assert_eq!(outcome(changes, receipts.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn one_failed_change_does_not_hide_another() {
        let changes = additions(&watch(BOTH, Trigger::Edge));
        assert_eq!(failure(changes, [Some(0), Some(0)]), None);
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(0)]), Some(libc::ENOMEM));
        assert_eq!(failure(changes, [Some(0), Some(libc::EINVAL)]), Some(libc::EINVAL));
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(libc::EINVAL)]), Some(libc::ENOMEM));
    }

    #[test]
    fn a_failed_registration_takes_back_only_what_it_added() {
        let changes = additions(&watch(BOTH, Trigger::Edge));
        assert_eq!(undoing(changes, [Some(0), Some(libc::EINVAL)]), [Some(EV_DELETE), None]);
        assert_eq!(undoing(changes, [Some(libc::EINVAL), Some(0)]), [None, Some(EV_DELETE)]);
        assert_eq!(undoing(changes, [Some(libc::EBADF); 2]), [None; 2]);
    }

    #[test]
    fn dropping_an_interest_that_was_never_there_is_no_failure() {
        let changes = replacements(&watch(Interest::READABLE, Trigger::Edge));
        assert_eq!(failure(changes, [Some(0), Some(libc::ENOENT)]), None);
        assert_eq!(failure(changes, [Some(libc::ENOENT), Some(0)]), Some(libc::ENOENT));
    }

    #[test]
    fn a_half_dead_pipe_is_watched_by_apple_only() {
        assert!(!is_failure(EV_ADD | EV_CLEAR, libc::EPIPE, true));
        assert!(is_failure(EV_ADD | EV_CLEAR, libc::EPIPE, false));
        assert!(is_failure(EV_ADD | EV_CLEAR, libc::EBADF, true));
    }

    #[test]
    fn ending_a_registration_needs_one_filter() {
        assert_eq!(deletion_failure([Some(0), Some(0)]), None);
        assert_eq!(deletion_failure([Some(0), Some(libc::ENOENT)]), None);
        assert_eq!(deletion_failure([Some(libc::ENOENT), Some(0)]), None);
        assert_eq!(deletion_failure([Some(libc::ENOENT); 2]), Some(libc::ENOENT));
        assert_eq!(deletion_failure([Some(libc::ENOENT), Some(libc::EBADF)]), Some(libc::EBADF));
    }

    #[test]
    fn a_change_of_trigger_deletes_first_and_a_change_of_interest_does_not() {
        let mut notes = Notes::default();
        let edge = watch(BOTH, Trigger::Edge);
        assert!(!notes.mode_changes(3, &edge));
        notes.set(3, &edge);
        assert!(!notes.mode_changes(3, &watch(Interest::READABLE, Trigger::Edge)));
        for trigger in [Trigger::Level, Trigger::OneShot] {
            let other = watch(BOTH, trigger);
            assert!(notes.mode_changes(3, &other), "{trigger:?}");
            notes.set(3, &other);
            assert!(!notes.mode_changes(3, &other), "{trigger:?}");
        }
        assert!(notes.mode_changes(3, &edge));
        notes.set(3, &edge);
        assert!(!notes.mode_changes(3, &edge));
        assert!(notes.0.get(3).is_none(), "edge-triggered registrations need no memory");
    }

    #[test]
    fn a_one_shot_of_two_directions_fires_once_until_it_is_replaced() {
        let mut notes = Notes::default();
        let one_shot = watch(BOTH, Trigger::OneShot);
        notes.set(3, &one_shot);
        assert_eq!(notes.fire(3, one_shot.token), Some([Some(EV_DISABLE); 2]), "the other filter is disabled");
        assert_eq!(notes.fire(3, one_shot.token), None, "its event was on its way");
        notes.set(3, &one_shot);
        assert!(notes.fire(3, one_shot.token).is_some());
    }

    #[test]
    fn a_one_shot_of_one_direction_needs_no_system_call_when_it_fires() {
        let mut notes = Notes::default();
        let one_shot = watch(Interest::WRITABLE, Trigger::OneShot);
        notes.set(3, &one_shot);
        assert_eq!(notes.fire(3, one_shot.token), Some([None; 2]));
        assert_eq!(notes.fire(3, one_shot.token), None);
    }

    #[test]
    fn an_event_of_an_earlier_registration_does_not_use_up_a_one_shot() {
        let mut notes = Notes::default();
        notes.set(3, &watch(BOTH, Trigger::OneShot));
        let next = Watch { token: Token(7), ..watch(BOTH, Trigger::OneShot) };
        notes.set(3, &next);
        assert_eq!(notes.fire(3, Token(usize::MAX)), None);
        assert!(notes.fire(3, Token(7)).is_some());

        notes.set(3, &next);
        notes.forget(3);
        assert_eq!(notes.fire(3, Token(7)), None, "it was deregistered");
    }

    #[test]
    fn every_event_says_what_the_kernel_said() {
        let nothing = Readiness::EMPTY;
        let readable = nothing.with(Readiness::READABLE, true);
        let writable = nothing.with(Readiness::WRITABLE, true);
        let rows = [
            ("data", Filter::Read, EV_CLEAR, 0, readable),
            ("the peer shut its writing side", Filter::Read, EV_EOF, 0, readable.with(Readiness::READ_CLOSED, true)),
            (
                "the connection was reset",
                Filter::Read,
                EV_EOF,
                libc::ECONNRESET as u32,
                readable.with(Readiness::READ_CLOSED, true).with(Readiness::ERROR, true),
            ),
            ("room", Filter::Write, EV_CLEAR, 0, writable),
            ("our own shutdown(Write)", Filter::Write, EV_EOF, 0, writable.with(Readiness::WRITE_CLOSED, true)),
            (
                "a refused connection",
                Filter::Write,
                EV_EOF,
                libc::ECONNREFUSED as u32,
                writable.with(Readiness::WRITE_CLOSED, true).with(Readiness::ERROR, true),
            ),
            ("a failed filter", Filter::Write, EV_ERROR, 0, writable.with(Readiness::ERROR, true)),
            ("a low-water mark is no error", Filter::Read, EV_CLEAR, 1, readable),
            ("a wake", Filter::User, EV_CLEAR, 0, readable),
            ("a finished request", Filter::Aio, EV_ONESHOT, 0, nothing.with(Readiness::AIO, true)),
            ("a finished list of requests", Filter::Lio, EV_ONESHOT, 0, nothing.with(Readiness::LIO, true)),
            ("an ended process is no hang-up", Filter::Proc, EV_EOF | EV_ONESHOT, 0x8000_0000, nothing),
            ("a timer", Filter::Timer, EV_CLEAR, 0, nothing),
            ("a signal", Filter::Signal, EV_CLEAR, 0, nothing),
            ("a changed file", Filter::Vnode, EV_CLEAR, 2, nothing),
        ];
        for (name, filter, flags, fflags, expected) in rows {
            assert_eq!(KqueueFlags::new(filter, flags, fflags).readiness(), expected, "{name}");
        }
        assert_eq!(KqueueFlags::WOKEN.readiness(), readable);
    }

    #[test]
    fn two_filters_that_fire_together_are_one_event_and_keep_their_ends_apart() {
        let read = KqueueFlags::new(Filter::Read, EV_DISPATCH | EV_EOF, 0);
        let write = KqueueFlags::new(Filter::Write, EV_DISPATCH, 0);
        let readiness = read.and(write).readiness();
        assert!(readiness.contains(Readiness::READABLE.with(Readiness::WRITABLE, true)));
        assert!(readiness.contains(Readiness::READ_CLOSED));
        assert!(!readiness.contains(Readiness::WRITE_CLOSED), "a half-closed peer is no hang-up");

        let reset = KqueueFlags::new(Filter::Write, EV_DISPATCH | EV_EOF, libc::ECONNRESET as u32);
        assert!(read.and(reset).readiness().contains(Readiness::WRITE_CLOSED.with(Readiness::ERROR, true)));
    }

    #[test]
    fn one_shots_are_told_by_their_flag_and_filter() {
        assert!(KqueueFlags::new(Filter::Read, EV_DISPATCH, 0).is_one_shot());
        assert!(!KqueueFlags::new(Filter::Read, EV_CLEAR, 0).is_one_shot());
        assert!(!KqueueFlags::new(Filter::Timer, EV_DISPATCH, 0).is_one_shot(), "somebody else's");
    }

    #[test]
    fn debug_names_the_flags() {
        let flags = KqueueFlags::new(Filter::Read, EV_CLEAR | EV_EOF, 54);
        assert_eq!(format!("{flags:?}"), "kevent { filter: EVFILT_READ, flags: EV_CLEAR | EV_EOF, fflags: 54 }");
    }
}
