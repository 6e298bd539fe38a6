//! A queue on libevent: persistent, edge-triggered events of one base.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_short, c_void};
use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::queue::{Direction, Queue, StdSockets, Wake};

const EV_READ: c_short = 0x02;
const EV_WRITE: c_short = 0x04;
const EV_PERSIST: c_short = 0x10;
const EV_ET: c_short = 0x20;
const EVLOOP_ONCE: c_int = 0x01;
const EVLOOP_NONBLOCK: c_int = 0x02;
const EVLOOP_NO_EXIT_ON_EMPTY: c_int = 0x04;
const EVENT_BASE_FLAG_PRECISE_TIMER: c_int = 0x20;

type Base = c_void;
type Event = c_void;
type Callback = extern "C" fn(c_int, c_short, *mut c_void);

#[link(name = "event_core")]
unsafe extern "C" {
    fn event_config_new() -> *mut c_void;
    fn event_config_set_flag(config: *mut c_void, flag: c_int) -> c_int;
    fn event_config_free(config: *mut c_void);
    fn event_base_new_with_config(config: *const c_void) -> *mut Base;
    fn event_base_free(base: *mut Base);
    fn event_base_loop(base: *mut Base, flags: c_int) -> c_int;
    fn event_new(base: *mut Base, fd: c_int, what: c_short, callback: Callback, argument: *mut c_void) -> *mut Event;
    fn event_free(event: *mut Event);
    fn event_add(event: *mut Event, timeout: *const libc::timeval) -> c_int;
    fn event_del(event: *mut Event) -> c_int;
    fn event_active(event: *mut Event, what: c_int, count: c_short);
}

#[link(name = "event_pthreads")]
unsafe extern "C" {
    fn evthread_use_pthreads() -> c_int;
}

pub struct Libevent {
    base: *mut Base,
    timer: *mut Event,
    waker: Cell<*mut Event>,
    events: RefCell<HashMap<RawFd, (*mut Event, Box<Watch>)>>,
    woken: Box<Watch>,
    /// Only the callbacks write to it, and they run only inside `event_base_loop`.
    ready: Box<UnsafeCell<Vec<usize>>>,
}

/// What an event's argument points to.
struct Watch {
    token: Cell<usize>,
    ready: *mut Vec<usize>,
}

extern "C" fn on_ready(_fd: c_int, _what: c_short, watch: *mut c_void) {
    let watch = watch.cast::<Watch>();
    // SAFETY: the argument lives as long as the event, and nothing borrows `ready` while the loop runs.
    unsafe { (*(*watch).ready).push((*watch).token.get()) };
}

extern "C" fn on_time(_fd: c_int, _what: c_short, _argument: *mut c_void) {}

/// libevent returns `-1` and leaves the error in `errno`.
fn check(result: c_int) -> io::Result<()> {
    crate::queue::check(result).map(drop)
}

fn what(direction: Direction) -> c_short {
    EV_PERSIST
        | EV_ET
        | match direction {
            Direction::Read => EV_READ,
            Direction::Write => EV_WRITE,
        }
}

impl Libevent {
    fn event(&self, fd: RawFd, what: c_short, watch: &Watch) -> io::Result<*mut Event> {
        // SAFETY: the base lives, and the argument outlives the event.
        let event = unsafe { event_new(self.base, fd, what, on_ready, ptr::from_ref(watch).cast_mut().cast()) };
        if event.is_null() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(event) }
    }
}

impl Queue for Libevent {
    type Waker = Active;

    const FORGETS_DESCRIPTORS: bool = false;

    fn new(capacity: usize) -> io::Result<Libevent> {
        let ready = Box::new(UnsafeCell::new(Vec::with_capacity(capacity)));
        // SAFETY: this makes a configuration, uses it once, and frees it.
        unsafe {
            check(evthread_use_pthreads())?;
            let config = event_config_new();
            event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
            let base = event_base_new_with_config(config);
            event_config_free(config);
            Ok(Libevent {
                base,
                timer: event_new(base, -1, 0, on_time, ptr::null_mut()),
                waker: Cell::new(ptr::null_mut()),
                events: RefCell::default(),
                woken: Box::new(Watch { token: Cell::new(0), ready: ready.get() }),
                ready,
            })
        }
    }

    fn register(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        let watch = Box::new(Watch { token: Cell::new(token), ready: self.ready.get() });
        let event = self.event(fd, what(direction), &watch)?;
        self.events.borrow_mut().insert(fd, (event, watch));
        // SAFETY: the event is initialised.
        check(unsafe { event_add(event, ptr::null()) })
    }

    /// libevent cannot change an event while it is registered.
    fn reregister(&self, fd: RawFd, token: usize, direction: Direction) -> io::Result<()> {
        self.deregister(fd)?;
        self.register(fd, token, direction)
    }

    fn deregister(&self, fd: RawFd) -> io::Result<()> {
        let (event, _watch) = self.events.borrow_mut().remove(&fd).ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: the event is initialised, and nothing uses it afterwards.
        unsafe {
            event_del(event);
            event_free(event);
        }
        Ok(())
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.ready.get_mut().clear();
        // SAFETY: the base and the timer are initialised.
        unsafe {
            match timeout {
                None => event_base_loop(self.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY),
                Some(Duration::ZERO) => event_base_loop(self.base, EVLOOP_NONBLOCK),
                Some(time) => {
                    // These are microseconds, rounded up.
                    let micros = time.as_nanos().div_ceil(1_000) as i64;
                    let time = libc::timeval { tv_sec: micros / 1_000_000, tv_usec: micros % 1_000_000 };
                    event_add(self.timer, &time);
                    event_base_loop(self.base, EVLOOP_ONCE);
                    event_del(self.timer)
                }
            };
        }
        Ok(())
    }

    #[inline]
    fn tokens(&self) -> impl Iterator<Item = usize> {
        // SAFETY: the loop, which writes to it, runs only in `poll`, which needs `&mut self`.
        unsafe { (*self.ready.get()).iter().copied() }
    }

    fn waker(&self, token: usize) -> io::Result<Arc<Active>> {
        self.woken.token.set(token);
        let event = self.event(-1, EV_PERSIST, &self.woken)?;
        // SAFETY: the event is initialised.
        check(unsafe { event_add(event, ptr::null()) })?;
        self.waker.set(event);
        Ok(Arc::new(Active(event)))
    }

    #[inline]
    fn rearm(&self, _fd: RawFd, _token: usize) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn closing(&self, fd: RawFd) -> io::Result<()> {
        self.deregister(fd)
    }
}

impl Drop for Libevent {
    fn drop(&mut self) {
        let events = self.events.get_mut().drain().map(|(_, (event, _))| event).chain([self.timer, self.waker.get()]);
        // SAFETY: each event is freed once, before its base and its argument.
        unsafe {
            events.filter(|event| !event.is_null()).for_each(|event| event_free(event));
            event_base_free(self.base);
        }
    }
}

/// An event that a program activates by hand. The programs end their threads before they drop the base.
pub struct Active(*mut Event);

// SAFETY: `evthread_use_pthreads` makes the base use locks.
unsafe impl Send for Active {}
// SAFETY: as above.
unsafe impl Sync for Active {}

impl Wake for Active {
    #[inline]
    fn wake(&self) -> io::Result<()> {
        // SAFETY: the event is initialised.
        unsafe { event_active(self.0, c_int::from(EV_READ), 1) };
        Ok(())
    }
}

impl StdSockets for Libevent {}
