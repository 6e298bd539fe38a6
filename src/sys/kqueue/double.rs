//! What `libc` says of `kqueue(2)` elsewhere, for Linux, which has none: with `--cfg mio_backend="kqueue"` the tests run this
//! backend on a double of it, `ci/kqueue.c`, which is linked into them.

#![allow(unsafe_code)]

pub(super) use libc::{c_int, c_void, timespec, uintptr_t};

pub(super) use crate::sys::logic::kqueue::{
    EV_ADD, EV_CLEAR, EV_DELETE, EV_DISABLE, EV_DISPATCH, EV_ENABLE, EV_EOF, EV_ERROR, EV_ONESHOT, EV_RECEIPT,
};

#[repr(C)]
#[derive(Copy, Clone)]
#[allow(non_camel_case_types)]
pub(super) struct kevent {
    pub(super) ident: uintptr_t,
    pub(super) filter: i16,
    pub(super) flags: u16,
    pub(super) fflags: u32,
    pub(super) data: i64,
    pub(super) udata: *mut c_void,
}

unsafe extern "C" {
    pub(super) fn kqueue() -> c_int;
    pub(super) fn kevent(
        kqueue: c_int,
        changes: *const kevent,
        change_count: c_int,
        events: *mut kevent,
        event_count: c_int,
        timeout: *const timespec,
    ) -> c_int;
}

// FreeBSD's numbers, and Apple's where it has none.
pub(super) const EVFILT_READ: i16 = -1;
pub(super) const EVFILT_WRITE: i16 = -2;
pub(super) const EVFILT_AIO: i16 = -3;
pub(super) const EVFILT_VNODE: i16 = -4;
pub(super) const EVFILT_PROC: i16 = -5;
pub(super) const EVFILT_SIGNAL: i16 = -6;
pub(super) const EVFILT_TIMER: i16 = -7;
pub(super) const EVFILT_USER: i16 = -11;
pub(super) const EVFILT_EXCEPT: i16 = -15;
pub(super) const NOTE_EXIT: u32 = 0x8000_0000;
pub(super) const NOTE_TRIGGER: u32 = 0x0100_0000;
