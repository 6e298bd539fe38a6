//! The decisions about kqueue: the changes that a registration makes, what their receipts mean, when a one-shot has fired, and
//! what an event says.

use std::fmt;
use std::os::fd::RawFd;

use crate::event::{Readiness, write_names};
use crate::sys::unix::fd_map::FdMap;
use crate::sys::{Flags, Watch};
use crate::{Token, Trigger};

// These numbers are the same on every system. The compiler compares them with those of `libc` where that has them.
pub(crate) const EV_ADD: u16 = 0x1;
pub(crate) const EV_DELETE: u16 = 0x2;
pub(crate) const EV_ENABLE: u16 = 0x4;
pub(crate) const EV_DISABLE: u16 = 0x8;
pub(crate) const EV_ONESHOT: u16 = 0x10;
pub(crate) const EV_CLEAR: u16 = 0x20;
pub(crate) const EV_RECEIPT: u16 = 0x40;
pub(crate) const EV_DISPATCH: u16 = 0x80;
pub(crate) const EV_ERROR: u16 = 0x4000;
pub(crate) const EV_EOF: u16 = 0x8000;

/// What `EVFILT_EXCEPT` is asked for: urgent data.
pub(crate) const NOTE_OOB: u32 = if cfg!(target_os = "openbsd") { 0x4 } else { 0x2 };

/// The filters of a registration.
const FILTERS: [Filter; 3] = [Filter::Read, Filter::Write, Filter::Except];

/// One value for each of the [`FILTERS`], in this order, or `None` for a filter that stays as it is.
pub(crate) type PerFilter<T> = [Option<T>; 3];

/// Returns the flags that make the filters of a registration, except `EVFILT_EXCEPT`, fire as its trigger says.
///
/// This uses `EV_DISPATCH` and not `EV_ONESHOT`, because it disables a filter that has fired and does not delete it, so that ending
/// the registration still finds the filter.
pub(crate) fn mode(trigger: Trigger) -> u16 {
    match trigger {
        Trigger::Level => 0,
        Trigger::OneShot => EV_DISPATCH,
        _ => EV_CLEAR,
    }
}

/// Returns the flags for each filter that `watch` asks for. If the registration exists, they arm it again.
///
/// `EVFILT_EXCEPT` is edge-triggered always, and [`NonDefault`] makes the other triggers of that: Apple's fires for whatever
/// `EVFILT_READ` fires for, too, and would do so without end, or be used up by what is not urgent.
pub(crate) fn additions(watch: &Watch) -> PerFilter<u16> {
    let flags = |mode| EV_ADD | EV_ENABLE | mode;
    let (interest, mode) = (watch.interest, mode(watch.trigger));
    [
        interest.is_readable().then_some(flags(mode)),
        interest.is_writable().then_some(flags(mode)),
        interest.is_priority().then_some(flags(EV_CLEAR)),
    ]
}

/// What registers a pipe without a reader as `watch` says: `EVFILT_READ` for `EVFILT_WRITE`.
///
/// To the kernels that refuse the one ([`reader_is_gone`]) a pipe goes both ways, and the other says at once that it has
/// ended: as often as the trigger asks for, and no longer than the descriptor is open.
pub(crate) fn stand_in(watch: &Watch) -> PerFilter<u16> {
    [Some(EV_ADD | EV_ENABLE | mode(watch.trigger)), Some(EV_DELETE), None]
}

/// As [`additions`]; those of the `present` filters that `watch` does not ask for are deleted.
pub(crate) fn replacements(watch: &Watch, present: PerFilter<()>) -> PerFilter<u16> {
    let mut changes = deletions(present);
    for (change, addition) in changes.iter_mut().zip(additions(watch)) {
        *change = addition.or(*change);
    }
    changes
}

/// Returns the changes that delete the filters that may be `present`.
pub(crate) fn deletions(present: PerFilter<()>) -> PerFilter<u16> {
    present.map(|filter| filter.map(|()| EV_DELETE))
}

/// One change, which the kernel reads as a `kevent`, without the fields that all changes of a registration share.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) filter: Filter,
    pub(crate) flags: u16,
}

/// Returns the list of `changes`.
///
/// Each change asks for a receipt, which has two effects: if one fails, the kernel still makes the others, and the kernel writes
/// only receipts, so that no event leaves the queue and gets lost.
pub(crate) fn change_list(changes: PerFilter<u16>) -> impl Iterator<Item = Change> {
    let change = |(filter, flags): (_, Option<_>)| flags.map(|flags| Change { filter, flags: flags | EV_RECEIPT });
    FILTERS.into_iter().zip(changes).filter_map(change)
}

/// Returns the result of each of `changes`, zero or `errno`, from what the kernel has written: a filter, its flags and `data`.
///
/// A change that there is no receipt of was made: the kernel was interrupted after it, and has no room to say so.
pub(crate) fn outcome(
    changes: PerFilter<u16>,
    receipts: impl Iterator<Item = (Filter, u16, i32)> + Clone,
) -> PerFilter<i32> {
    let of = |wanted| {
        let receipt = |(filter, flags, errno)| (filter == wanted && flags & EV_ERROR != 0).then_some(errno);
        receipts.clone().find_map(receipt).unwrap_or(0)
    };
    std::array::from_fn(|filter| changes[filter].map(|_| of(FILTERS[filter])))
}

/// What takes back those `changes` that succeeded.
pub(crate) fn undoing(changes: PerFilter<u16>, receipts: PerFilter<i32>) -> PerFilter<u16> {
    std::array::from_fn(|filter| match (changes[filter], receipts[filter]) {
        (Some(flags), Some(0)) if flags & EV_ADD != 0 => Some(EV_DELETE),
        _ => None,
    })
}

/// The first error among the receipts of `changes` that is one: `errno`.
pub(crate) fn failure(changes: PerFilter<u16>, receipts: PerFilter<i32>) -> Option<i32> {
    changes.into_iter().zip(receipts).find_map(|(flags, errno)| match (flags?, errno?) {
        // The filter was never added, or is gone with an earlier descriptor of the same number, which is the wanted result.
        (EV_DELETE, libc::ENOENT) => None,
        (_, errno) => (errno != 0).then_some(errno),
    })
}

/// Returns the error of ending a registration with [`deletions`]. If the kernel has found no filter, there was no registration.
///
/// The exception is a kernel that has deleted the filters by itself, as FreeBSD does when the reader of a pipe goes, and XNU and
/// OpenBSD when a terminal is revoked: then the descriptor `has_ended`.
pub(crate) fn deletion_failure(
    changes: PerFilter<u16>,
    receipts: PerFilter<i32>,
    has_ended: impl FnOnce() -> bool,
) -> Option<i32> {
    let none_was_found = receipts.iter().flatten().all(|&receipt| receipt == libc::ENOENT);
    failure(changes, receipts).or_else(|| (none_was_found && !has_ended()).then_some(libc::ENOENT))
}

/// Returns whether the kernel has refused `EVFILT_WRITE` because the descriptor is a pipe whose reader is gone.
///
/// FreeBSD, DragonFly BSD and older versions of OpenBSD return `EPIPE` for that, and so do OS X 10.10 and 10.11, which watch the
/// pipe nevertheless. NetBSD returns `EBADF`, as it does for an invalid descriptor: `is_open` tells the two apart.
pub(crate) fn reader_is_gone(receipts: PerFilter<i32>, is_open: impl FnOnce() -> bool) -> bool {
    match receipts[1] {
        Some(libc::EPIPE) => true,
        Some(libc::EBADF) => is_open(),
        _ => false,
    }
}

/// The registrations that are not edge-triggered for reading and writing, and those of pipes without a reader, by
/// descriptor.
///
/// Others need no memory. These need it for four reasons. Adding a filter again changes neither `EV_CLEAR` nor `EV_DISPATCH`, so a
/// change of trigger has to delete the filter first. A one-shot for two directions consists of two filters in the kernel, each of
/// which fires once. `EVFILT_EXCEPT` must not change if the program has not asked for it, because older kernels do not know it. And
/// a filter may stand for another one.
///
/// A descriptor that is closed without being deregistered stays in it until its number is registered again; until then
/// nothing asks for it.
#[derive(Debug, Default)]
pub(crate) struct NonDefault(FdMap<Entry>);

#[derive(Debug)]
struct Entry {
    mode: u16,
    /// The token of a one-shot that has not fired.
    armed: Option<Token>,
    filters: PerFilter<()>,
    /// `EVFILT_READ` tells the end of writing.
    no_reader: bool,
}

impl NonDefault {
    /// Returns whether the filters of `fd`, if there are any, have a different mode from the one that `watch` asks for.
    pub(crate) fn mode_changes(&self, fd: RawFd, watch: &Watch) -> bool {
        self.0.get(fd).map_or(EV_CLEAR, |entry| entry.mode) != mode(watch.trigger)
    }

    /// The filters that `fd` may have.
    pub(crate) fn present(&self, fd: RawFd) -> PerFilter<()> {
        [Some(()), Some(()), self.0.get(fd).and_then(|entry| entry.filters[2])]
    }

    /// `fd` is registered as `watch` says from now on, with the [`stand_in`] if there is `no_reader`.
    pub(crate) fn set(&mut self, fd: RawFd, watch: &Watch, no_reader: bool) {
        let one_shot = watch.trigger == Trigger::OneShot;
        let entry = Entry {
            mode: mode(watch.trigger),
            armed: one_shot.then_some(watch.token),
            filters: additions(watch).map(|flags| flags.map(drop)),
            no_reader,
        };
        if entry.mode == EV_CLEAR && entry.filters[2].is_none() && !no_reader {
            self.forget(fd);
        } else {
            self.0.insert(fd, entry);
        }
    }

    pub(crate) fn forget(&mut self, fd: RawFd) {
        self.0.remove(fd);
    }

    /// Filters of `fd` fired with `token`, in their order. Returns what is to be told, and the changes to be made.
    ///
    /// Nothing is told of a one-shot that was replaced, was ended, or has fired already: between the kernel's giving the
    /// event and this call, another thread may have registered the descriptor anew, and that is still due its event.
    pub(crate) fn fire(
        &mut self,
        fd: RawFd,
        token: Token,
        fired: impl Iterator<Item = KqueueFlags>,
    ) -> (Option<KqueueFlags>, PerFilter<u16>) {
        let Some(flags) = fired.filter(|flags| flags.is_meant()).reduce(KqueueFlags::and) else {
            return (None, [None; 3]);
        };
        let Some(entry) = self.0.get_mut(fd) else {
            return ((flags.flags & EV_DISPATCH == 0).then_some(flags), [None; 3]);
        };
        let changes = match entry.mode {
            EV_DISPATCH if entry.armed.take_if(|armed| *armed == token).is_some() => entry.after_the_shot(),
            0 if flags.flags & EV_DISPATCH == 0 => entry.next_level(flags),
            EV_CLEAR if flags.flags & EV_DISPATCH == 0 => [None; 3],
            _ => return (None, [None; 3]),
        };
        (Some(entry.meaning(flags)), changes)
    }
}

impl Entry {
    /// What keeps the filters from firing again; the kernel has disabled the one of `EV_DISPATCH` that fired.
    fn after_the_shot(&self) -> PerFilter<u16> {
        let several = self.filters.iter().flatten().count() > 1 || self.filters[2].is_some();
        self.filters.map(|filter| filter.filter(|()| several).map(|()| EV_DISABLE))
    }

    /// What makes level-triggered filters fire again that would not by themselves: `EVFILT_EXCEPT`, and an `EVFILT_WRITE`
    /// that the kernel has deleted.
    fn next_level(&mut self, flags: KqueueFlags) -> PerFilter<u16> {
        let deleted = flags.filter == Filter::Write && flags.flags & EV_ONESHOT != 0;
        self.no_reader |= deleted;
        let add = EV_ADD | EV_ENABLE;
        [deleted.then_some(add), None, flags.has(Filter::Except).then_some(add | EV_CLEAR)]
    }

    /// What `flags` mean if one filter stands for another.
    fn meaning(&self, flags: KqueueFlags) -> KqueueFlags {
        if !self.no_reader || flags.filter != Filter::Read {
            return flags;
        }
        let write = KqueueFlags { filter: Filter::Write, ..flags };
        if self.filters[0].is_some() { flags.and(write) } else { write }
    }
}

/// `EVFILT_READ` and the other filters: those that this crate registers, and those that a program may register with the queue's
/// descriptor.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Read,
    Write,
    Except,
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
            Filter::Except => "EVFILT_EXCEPT",
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

/// The flags of one `kevent`, or of several if the filters of a registration fired together.
#[derive(Copy, Clone)]
pub(crate) struct KqueueFlags {
    fflags: u32,
    flags: u16,
    filter: Filter,
    /// The flags of other filters that the event also stands for.
    also: u8,
}

const ALSO_WRITE: u8 = 0x1;
const ALSO_WRITE_EOF: u8 = 0x2;
const ALSO_WRITE_ERROR: u8 = 0x4;
const ALSO_EXCEPT: u8 = 0x8;

impl KqueueFlags {
    pub(crate) fn new(filter: Filter, flags: u16, fflags: u32) -> KqueueFlags {
        KqueueFlags { fflags, flags, filter, also: 0 }
    }

    /// Returns whether [`NonDefault::fire`] has to decide about it. It decides about one-shots, about ends (which one filter may report
    /// for another, and which may be the last that a filter reports), and about `EVFILT_EXCEPT`.
    pub(crate) fn is_for_fire(self) -> bool {
        match self.filter {
            Filter::Read | Filter::Write => self.flags & (EV_DISPATCH | EV_EOF) != 0,
            filter => filter == Filter::Except,
        }
    }

    /// Whether it tells of what was asked for: Apple's `EVFILT_EXCEPT` does of data and of the end, too. With the end, any
    /// bit of `fflags` may be one of an error's number.
    fn is_meant(&self) -> bool {
        self.filter != Filter::Except || self.fflags == NOTE_OOB
    }

    /// Joins the events of several [`FILTERS`], in their order, into one.
    pub(crate) fn and(self, next: KqueueFlags) -> KqueueFlags {
        if next.filter == Filter::Except {
            return KqueueFlags { also: self.also | ALSO_EXCEPT, ..self };
        }
        let bit = |flag, bit| if next.flags & flag != 0 { bit } else { 0 };
        let also = ALSO_WRITE | bit(EV_EOF, ALSO_WRITE_EOF) | bit(EV_ERROR, ALSO_WRITE_ERROR);
        let fflags = if self.fflags == 0 { next.fflags } else { self.fflags };
        KqueueFlags { also: self.also | also, fflags, ..self }
    }

    /// Returns whether this filter is one of those that fired.
    fn has(self, filter: Filter) -> bool {
        self.filter == filter || self.also(filter).is_some()
    }

    /// The flags of another filter that fired as well.
    fn also(self, filter: Filter) -> Option<u16> {
        let flag = |bit, flag| if self.also & bit != 0 { flag } else { 0 };
        match filter {
            Filter::Write if self.also & ALSO_WRITE != 0 => {
                Some(flag(ALSO_WRITE_EOF, EV_EOF) | flag(ALSO_WRITE_ERROR, EV_ERROR))
            }
            Filter::Except if self.also & ALSO_EXCEPT != 0 => Some(0),
            _ => None,
        }
    }
}

impl Flags for KqueueFlags {
    const WOKEN: KqueueFlags = KqueueFlags { fflags: 0, flags: EV_CLEAR, filter: Filter::User, also: 0 };

    #[inline]
    fn readiness(self) -> Readiness {
        let own = readiness(self.filter, self.flags, self.fflags);
        [Filter::Write, Filter::Except].into_iter().fold(own, |all, filter| match self.also(filter) {
            Some(flags) => all.with(readiness(filter, flags, self.fflags), true),
            None => all,
        })
    }
}

/// Returns what one filter means.
///
/// `EV_EOF` means that the filter's own direction is closed. With `EVFILT_READ`, the peer has shut down its writing side or is gone;
/// with `EVFILT_WRITE`, the peer is gone or the *program* has shut down its writing side. So after the program's own
/// `shutdown(Write)` an event says "write closed", which is true, and never "read closed". With `EV_EOF`, `fflags` is the socket's
/// error, if it has one. (With `EVFILT_EXCEPT`, `fflags` may also be the condition, which is not an error.)
#[inline]
fn readiness(filter: Filter, flags: u16, fflags: u32) -> Readiness {
    let read = filter == Filter::Read;
    let write = filter == Filter::Write;
    // For a process, `EV_EOF` and `fflags` mean that it has ended.
    let end = flags & EV_EOF != 0 && (read || write);
    Readiness::EMPTY
        .with(Readiness::READABLE, read || matches!(filter, Filter::Except | Filter::User))
        .with(Readiness::WRITABLE, write)
        .with(Readiness::PRIORITY, filter == Filter::Except)
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
        for filter in [Filter::Write, Filter::Except] {
            if let Some(flags) = self.also(filter) {
                debug.field("and", &filter).field("its_flags", &FlagNames(flags));
            }
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
    const PRIORITY: Interest = Interest::priority();
    const READ_AND_WRITE: PerFilter<()> = [Some(()), Some(()), None];

    fn watch(interest: Interest, trigger: Trigger) -> Watch {
        Watch { token: Token(usize::MAX), interest, trigger }
    }

    #[test]
    fn only_what_is_asked_for_is_added() {
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR;
        assert_eq!(additions(&watch(Interest::READABLE, Trigger::Edge)), [Some(edge), None, None]);
        assert_eq!(additions(&watch(Interest::WRITABLE, Trigger::Edge)), [None, Some(edge), None]);
        assert_eq!(additions(&watch(BOTH, Trigger::Edge)), [Some(edge), Some(edge), None]);
        assert_eq!(additions(&watch(PRIORITY, Trigger::Edge)), [None, None, Some(edge)]);
    }

    #[test]
    fn a_level_trigger_is_the_absence_of_ev_clear_and_a_one_shot_is_ev_dispatch_but_for_evfilt_except() {
        let (add, all) = (EV_ADD | EV_ENABLE, BOTH | PRIORITY);
        let except = Some(add | EV_CLEAR);
        assert_eq!(additions(&watch(all, Trigger::Level)), [Some(add), Some(add), except]);
        let one_shot = Some(add | EV_DISPATCH);
        assert_eq!(additions(&watch(all, Trigger::OneShot)), [one_shot, one_shot, except]);
    }

    #[test]
    fn the_stand_in_of_a_pipe_without_a_reader_has_the_trigger_of_what_it_stands_for() {
        for (trigger, mode) in [(Trigger::Edge, EV_CLEAR), (Trigger::Level, 0), (Trigger::OneShot, EV_DISPATCH)] {
            let read = Some(EV_ADD | EV_ENABLE | mode);
            assert_eq!(stand_in(&watch(Interest::WRITABLE, trigger)), [read, Some(EV_DELETE), None]);
            assert_eq!(stand_in(&watch(BOTH, trigger)), [read, Some(EV_DELETE), None]);
        }
    }

    #[test]
    fn a_missing_reader_is_told_from_a_missing_descriptor() {
        let of = |receipts, is_open| reader_is_gone(receipts, || is_open);
        assert!(of([None, Some(libc::EPIPE), None], true));
        assert!(of([Some(0), Some(libc::EBADF), None], true));
        assert!(!of([Some(libc::EBADF), Some(libc::EBADF), None], false));
        assert!(!of([Some(0), Some(0), None], true));
        assert!(!of([Some(libc::EBADF), None, None], true));
    }

    #[test]
    fn a_replacement_deletes_what_is_not_asked_for_any_more() {
        let reader = watch(Interest::READABLE, Trigger::Edge);
        let edge = Some(EV_ADD | EV_ENABLE | EV_CLEAR);
        assert_eq!(replacements(&reader, READ_AND_WRITE), [edge, Some(EV_DELETE), None]);
        assert_eq!(replacements(&reader, [Some(()); 3]), [edge, Some(EV_DELETE), Some(EV_DELETE)]);
        let priority = watch(PRIORITY, Trigger::Edge);
        assert_eq!(replacements(&priority, READ_AND_WRITE), [Some(EV_DELETE), Some(EV_DELETE), edge]);
    }

    #[test]
    fn evfilt_except_is_left_alone_where_nobody_asked_for_it() {
        let mut non_default = NonDefault::default();
        assert_eq!(non_default.present(3), READ_AND_WRITE);
        non_default.set(3, &watch(BOTH, Trigger::Level), false);
        assert_eq!(non_default.present(3), READ_AND_WRITE);
        let priority = watch(Interest::READABLE | PRIORITY, Trigger::Edge);
        assert!(!non_default.mode_changes(4, &priority));
        non_default.set(4, &priority, false);
        assert!(!non_default.mode_changes(4, &priority));
        assert_eq!(non_default.present(4), [Some(()); 3]);
        assert_eq!(deletions(non_default.present(4)), [Some(EV_DELETE); 3]);
        non_default.set(4, &watch(BOTH, Trigger::Edge), false);
        assert_eq!(non_default.present(4), READ_AND_WRITE);
    }

    #[test]
    fn every_change_asks_for_its_receipt() {
        let list = |changes| change_list(changes).map(|change| (change.filter, change.flags)).collect::<Vec<_>>();
        let edge = EV_ADD | EV_ENABLE | EV_CLEAR | EV_RECEIPT;
        let reader = watch(Interest::READABLE, Trigger::Edge);
        assert_eq!(list(additions(&reader)), [(Filter::Read, edge)]);
        let delete = EV_DELETE | EV_RECEIPT;
        assert_eq!(list(replacements(&reader, READ_AND_WRITE)), [(Filter::Read, edge), (Filter::Write, delete)]);
        assert_eq!(list([None, None, Some(EV_DELETE)]), [(Filter::Except, delete)]);
        assert_eq!(list([None; 3]), []);
    }

    #[test]
    fn each_receipt_is_judged_for_its_own_filter() {
        let both = [Some(EV_ADD), Some(EV_ADD), None];
        let reader = [Some(EV_ADD), None, None];
        let (read, write) = (Filter::Read, Filter::Write);
        let rows = [
            ("both were made", both, vec![(read, EV_ERROR, 0), (write, EV_ERROR, 0)], [Some(0), Some(0), None]),
            (
                "the first failed, and hides nothing of the second",
                both,
                vec![(read, EV_ERROR, libc::ENOENT), (write, EV_ERROR, libc::EPIPE)],
                [Some(libc::ENOENT), Some(libc::EPIPE), None],
            ),
            (
                "in another order",
                both,
                vec![(write, EV_ERROR, libc::EINVAL), (read, EV_ERROR, 0)],
                [Some(0), Some(libc::EINVAL), None],
            ),
            (
                "of all three",
                [Some(EV_ADD); 3],
                vec![(read, EV_ERROR, 0), (write, EV_ERROR, 0), (Filter::Except, EV_ERROR, libc::EINVAL)],
                [Some(0), Some(0), Some(libc::EINVAL)],
            ),
            ("interrupted after the changes were made", both, vec![], [Some(0), Some(0), None]),
            (
                "an event is no receipt",
                both,
                vec![(read, EV_CLEAR, 17), (write, EV_ERROR, 0)],
                [Some(0), Some(0), None],
            ),
            ("one change", reader, vec![(read, EV_ERROR, libc::EBADF)], [Some(libc::EBADF), None, None]),
        ];
        for (name, changes, receipts, expected) in rows {
            assert_eq!(outcome(changes, receipts.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn one_failed_change_does_not_hide_another() {
        let changes = additions(&watch(BOTH, Trigger::Edge));
        assert_eq!(failure(changes, [Some(0), Some(0), None]), None);
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(0), None]), Some(libc::ENOMEM));
        assert_eq!(failure(changes, [Some(0), Some(libc::EINVAL), None]), Some(libc::EINVAL));
        assert_eq!(failure(changes, [Some(libc::ENOMEM), Some(libc::EINVAL), None]), Some(libc::ENOMEM));
    }

    #[test]
    fn a_failed_registration_takes_back_only_what_it_added() {
        let changes = additions(&watch(BOTH, Trigger::Edge));
        assert_eq!(undoing(changes, [Some(0), Some(libc::EINVAL), None]), [Some(EV_DELETE), None, None]);
        assert_eq!(undoing(changes, [Some(libc::EINVAL), Some(0), None]), [None, Some(EV_DELETE), None]);
        assert_eq!(undoing(changes, [Some(libc::EBADF), Some(libc::EBADF), None]), [None; 3]);
        let stand_in = stand_in(&watch(Interest::WRITABLE, Trigger::Edge));
        assert_eq!(
            undoing(stand_in, [Some(0), Some(0), None]),
            [Some(EV_DELETE), None, None],
            "a deletion added nothing"
        );
    }

    #[test]
    fn dropping_an_interest_that_was_never_there_is_no_failure() {
        let changes = replacements(&watch(Interest::READABLE, Trigger::Edge), READ_AND_WRITE);
        assert_eq!(failure(changes, [Some(0), Some(libc::ENOENT), None]), None);
        assert_eq!(failure(changes, [Some(libc::ENOENT), Some(0), None]), Some(libc::ENOENT));
    }

    #[test]
    fn ending_a_registration_needs_one_filter_or_a_descriptor_that_has_ended() {
        let failure = |receipts, ended| deletion_failure(deletions(READ_AND_WRITE), receipts, || ended);
        for ended in [false, true] {
            assert_eq!(failure([Some(0), Some(0), None], ended), None);
            assert_eq!(failure([Some(0), Some(libc::ENOENT), None], ended), None);
            assert_eq!(failure([Some(libc::ENOENT), Some(0), None], ended), None);
            assert_eq!(failure([Some(libc::ENOENT), Some(libc::EBADF), None], ended), Some(libc::EBADF));
        }
        assert_eq!(failure([Some(libc::ENOENT), Some(libc::ENOENT), None], false), Some(libc::ENOENT));
        assert_eq!(failure([Some(libc::ENOENT), Some(libc::ENOENT), None], true), None);
        let all = deletions([Some(()); 3]);
        assert_eq!(deletion_failure(all, [Some(libc::ENOENT), Some(libc::ENOENT), Some(0)], || false), None);
    }

    #[test]
    fn a_change_of_trigger_deletes_first_and_a_change_of_interest_does_not() {
        let mut non_default = NonDefault::default();
        let edge = watch(BOTH, Trigger::Edge);
        assert!(!non_default.mode_changes(3, &edge));
        non_default.set(3, &edge, false);
        assert!(!non_default.mode_changes(3, &watch(Interest::READABLE, Trigger::Edge)));
        for trigger in [Trigger::Level, Trigger::OneShot] {
            let other = watch(BOTH, trigger);
            assert!(non_default.mode_changes(3, &other), "{trigger:?}");
            non_default.set(3, &other, false);
            assert!(!non_default.mode_changes(3, &other), "{trigger:?}");
        }
        assert!(non_default.mode_changes(3, &edge));
        non_default.set(3, &edge, false);
        assert!(!non_default.mode_changes(3, &edge));
        assert!(non_default.0.get(3).is_none(), "edge-triggered registrations need no memory");
    }

    /// Returns what is reported for one filter that fired, and the changes that follow.
    fn fire(non_default: &mut NonDefault, token: Token, flags: KqueueFlags) -> (Option<Readiness>, PerFilter<u16>) {
        let (flags, changes) = non_default.fire(3, token, [flags].into_iter());
        (flags.map(KqueueFlags::readiness), changes)
    }

    const SHOT: KqueueFlags = KqueueFlags { fflags: 0, flags: EV_DISPATCH, filter: Filter::Write, also: 0 };
    const URGENT: KqueueFlags = KqueueFlags { fflags: NOTE_OOB, flags: EV_CLEAR, filter: Filter::Except, also: 0 };

    #[test]
    fn a_one_shot_of_two_directions_fires_once_until_it_is_replaced() {
        let mut non_default = NonDefault::default();
        let one_shot = watch(BOTH, Trigger::OneShot);
        non_default.set(3, &one_shot, false);
        let others = [Some(EV_DISABLE), Some(EV_DISABLE), None];
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (Some(SHOT.readiness()), others));
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (None, [None; 3]), "its event was on its way");
        non_default.set(3, &one_shot, false);
        assert!(fire(&mut non_default, one_shot.token, SHOT).0.is_some());
    }

    #[test]
    fn a_one_shot_of_one_direction_needs_no_system_call_when_it_fires() {
        let mut non_default = NonDefault::default();
        let one_shot = watch(Interest::WRITABLE, Trigger::OneShot);
        non_default.set(3, &one_shot, false);
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (Some(SHOT.readiness()), [None; 3]));
        assert_eq!(fire(&mut non_default, one_shot.token, SHOT), (None, [None; 3]));
    }

    /// What FreeBSD does when nobody reads a pipe any more. From then on the filter that is added again stands in.
    #[test]
    fn a_level_triggered_filter_that_the_kernel_has_deleted_is_added_again() {
        let mut non_default = NonDefault::default();
        let level = watch(BOTH, Trigger::Level);
        non_default.set(3, &level, false);
        let [room, data, last] = [(Filter::Write, 0), (Filter::Read, 0), (Filter::Write, EV_EOF | EV_ONESHOT)]
            .map(|(filter, flags)| KqueueFlags::new(filter, flags, 0));
        for flags in [room, data, KqueueFlags { flags: EV_ONESHOT, ..data }] {
            assert_eq!(fire(&mut non_default, level.token, flags), (Some(flags.readiness()), [None; 3]));
        }
        let again = [Some(EV_ADD | EV_ENABLE), None, None];
        assert_eq!(fire(&mut non_default, level.token, last), (Some(last.readiness()), again));
        let (told, changes) = fire(&mut non_default, level.token, data);
        assert!(told.is_some_and(|told| told != data.readiness()), "reading stands for writing, too: {told:?}");
        assert_eq!(changes, [None; 3]);
    }

    #[test]
    fn an_event_of_an_earlier_registration_does_not_use_up_a_one_shot() {
        let mut non_default = NonDefault::default();
        non_default.set(3, &watch(BOTH, Trigger::OneShot), false);
        let next = Watch { token: Token(7), ..watch(BOTH, Trigger::OneShot) };
        non_default.set(3, &next, false);
        assert_eq!(fire(&mut non_default, Token(usize::MAX), SHOT), (None, [None; 3]));
        assert!(fire(&mut non_default, Token(7), SHOT).0.is_some());

        non_default.set(3, &next, false);
        non_default.forget(3);
        assert_eq!(fire(&mut non_default, Token(7), SHOT), (None, [None; 3]), "it was deregistered");
        non_default.set(3, &watch(BOTH, Trigger::Level), false);
        assert_eq!(fire(&mut non_default, Token(7), SHOT), (None, [None; 3]), "it is level-triggered now");
        non_default.set(3, &watch(BOTH.add(PRIORITY), Trigger::Edge), false);
        assert_eq!(fire(&mut non_default, Token(7), SHOT), (None, [None; 3]), "it is edge-triggered now");
    }

    #[test]
    fn what_is_not_urgent_is_told_to_nobody_and_uses_up_nothing() {
        let data = KqueueFlags { fflags: 0, ..URGENT };
        let end = KqueueFlags { flags: EV_CLEAR | EV_EOF, ..data };
        let reset = KqueueFlags { fflags: 54, ..end }; // of which one bit is that of `NOTE_OOB`
        for trigger in [Trigger::Edge, Trigger::Level, Trigger::OneShot] {
            let (mut non_default, priority) = (NonDefault::default(), watch(PRIORITY, trigger));
            non_default.set(3, &priority, false);
            for flags in [data, end, reset] {
                assert_eq!(fire(&mut non_default, priority.token, flags), (None, [None; 3]), "{trigger:?}");
            }
            assert!(fire(&mut non_default, priority.token, URGENT).0.is_some(), "{trigger:?}");
        }
    }

    #[test]
    fn urgent_data_is_told_as_often_as_the_trigger_asks_for() {
        let told_twice = |trigger| {
            let (mut non_default, priority) = (NonDefault::default(), watch(PRIORITY, trigger));
            non_default.set(3, &priority, false);
            [(); 2]
                .map(|()| fire(&mut non_default, priority.token, URGENT))
                .map(|(told, changes)| (told.is_some(), changes[2]))
        };
        assert_eq!(told_twice(Trigger::Edge), [(true, None); 2]);
        assert_eq!(told_twice(Trigger::Level), [(true, Some(EV_ADD | EV_ENABLE | EV_CLEAR)); 2]);
        assert_eq!(told_twice(Trigger::OneShot), [(true, Some(EV_DISABLE)), (false, None)]);
    }

    #[test]
    fn the_end_that_a_stand_in_tells_is_that_of_writing() {
        let end = KqueueFlags::new(Filter::Read, EV_CLEAR | EV_EOF, 0);
        let written = Readiness::EMPTY.with(Readiness::WRITABLE, true).with(Readiness::WRITE_CLOSED, true);
        for (interest, expected) in
            [(Interest::WRITABLE, written), (BOTH, end.readiness().with(written, true)), (Interest::READABLE, written)]
        {
            let mut non_default = NonDefault::default();
            let watch = watch(interest, Trigger::Edge);
            non_default.set(3, &watch, interest.is_writable());
            let expected = if interest.is_writable() { expected } else { end.readiness() };
            assert_eq!(fire(&mut non_default, watch.token, end), (Some(expected), [None; 3]), "{interest:?}");
        }
    }

    #[test]
    fn a_level_triggered_filter_that_the_kernel_deletes_is_stood_in_for() {
        let last = KqueueFlags::new(Filter::Write, EV_EOF | EV_ONESHOT, 0);
        let add = |trigger| {
            let (mut non_default, writer) = (NonDefault::default(), watch(Interest::WRITABLE, trigger));
            non_default.set(3, &writer, false);
            fire(&mut non_default, writer.token, last).1
        };
        assert_eq!(add(Trigger::Level), [Some(EV_ADD | EV_ENABLE), None, None]);
        assert_eq!(add(Trigger::Edge), [None; 3]);
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
            ("an urgent byte", Filter::Except, EV_CLEAR, 2, readable.with(Readiness::PRIORITY, true)),
            ("an urgent byte, then the end", Filter::Except, EV_EOF, 2, readable.with(Readiness::PRIORITY, true)),
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

        let except = KqueueFlags::new(Filter::Except, EV_CLEAR, NOTE_OOB);
        assert!(read.and(except).readiness().contains(Readiness::READ_CLOSED.with(Readiness::PRIORITY, true)));
        assert!(!read.and(write).and(except).readiness().contains(Readiness::ERROR), "the condition is no error");

        let reset = KqueueFlags::new(Filter::Write, EV_DISPATCH | EV_EOF, libc::ECONNRESET as u32);
        assert!(read.and(reset).readiness().contains(Readiness::WRITE_CLOSED.with(Readiness::ERROR, true)));
    }

    #[test]
    fn the_notes_have_a_say_of_one_shots_ends_and_evfilt_except() {
        let is_for_fire = |filter, flags| KqueueFlags::new(filter, flags, 0).is_for_fire();
        assert!(is_for_fire(Filter::Read, EV_DISPATCH) && is_for_fire(Filter::Write, EV_CLEAR | EV_EOF));
        assert!(is_for_fire(Filter::Except, EV_CLEAR));
        assert!(!is_for_fire(Filter::Read, EV_CLEAR) && !is_for_fire(Filter::Write, 0));
        assert!(!is_for_fire(Filter::Timer, EV_DISPATCH) && !is_for_fire(Filter::Proc, EV_EOF), "somebody else's");
    }

    #[test]
    fn debug_names_the_flags() {
        let flags = KqueueFlags::new(Filter::Read, EV_CLEAR | EV_EOF, 54);
        assert_eq!(format!("{flags:?}"), "kevent { filter: EVFILT_READ, flags: EV_CLEAR | EV_EOF, fflags: 54 }");
    }
}
