//! Processes, threads, events and other objects as sources.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::io::ErrorKind;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::{Child, Command};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::windows::Waitable;
use mio::{Events, Interest, Poll, Token, Trigger};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::Storage::FileSystem::SYNCHRONIZE;
use windows_sys::Win32::System::Threading::{
    CreateEventExW, CreateEventW, CreateMutexW, CreateSemaphoreW, GetCurrentProcess, GetProcessHandleCount, OpenEventW,
    ReleaseSemaphore, ResetEvent, SetEvent, WaitForSingleObject,
};

const TOKEN: Token = Token(3);
const GUARD: Duration = Duration::from_secs(60);

fn owned(handle: HANDLE) -> OwnedHandle {
    assert!(!handle.is_null());
    // SAFETY: the handle is new, and nothing else owns it.
    unsafe { OwnedHandle::from_raw_handle(handle) }
}

fn event(manual_reset: bool, signalled: bool) -> OwnedHandle {
    // SAFETY: the call takes no attributes and no name.
    owned(unsafe { CreateEventW(ptr::null(), manual_reset.into(), signalled.into(), ptr::null()) })
}

fn set(event: &impl AsHandle) {
    // SAFETY: the handle is open.
    assert_ne!(unsafe { SetEvent(event.as_handle().as_raw_handle()) }, 0);
}

fn reset(event: &impl AsHandle) {
    // SAFETY: the handle is open.
    assert_ne!(unsafe { ResetEvent(event.as_handle().as_raw_handle()) }, 0);
}

fn is_signalled(object: &impl AsHandle) -> bool {
    // SAFETY: the handle is open.
    unsafe { WaitForSingleObject(object.as_handle().as_raw_handle(), 0) == 0 }
}

fn queue() -> (Poll, Events) {
    (Poll::new().unwrap(), Events::with_capacity(64))
}

fn assert_event(queue: &mut Poll, events: &mut Events, token: Token) {
    queue.poll(events, Some(GUARD)).unwrap();
    let event = events.iter().next().expect("an event comes");
    assert!(event.token() == token && event.is_readable(), "{event:?}");
    assert!(!event.is_writable() && !event.is_error() && !event.is_read_closed());
    assert_eq!(events.iter().count(), 1);
}

fn assert_silent(queue: &mut Poll, events: &mut Events) {
    for _ in 0..3 {
        queue.poll(events, Some(Duration::from_millis(20))).unwrap();
        assert!(events.is_empty(), "{events:?}");
    }
}

fn child(program: &str) -> Child {
    Command::new("cmd").args(["/c", program]).spawn().unwrap()
}

#[test]
fn it_is_as_easy_to_share_as_what_it_holds() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<Waitable<OwnedHandle>>();
    check::<Waitable<BorrowedHandle<'_>>>();
}

#[test]
fn an_object_signalled_after_it_was_registered_gives_one_event() {
    for manual_reset in [true, false] {
        let (mut queue, mut events) = queue();
        let mut source = Waitable::new(event(manual_reset, false));
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        assert_silent(&mut queue, &mut events);
        set(&*source);
        assert_event(&mut queue, &mut events, TOKEN);
        assert_silent(&mut queue, &mut events);
        set(&*source);
        assert_silent(&mut queue, &mut events);
        queue.registry().reregister(&mut source, Token(4), Interest::READABLE).unwrap();
        assert_event(&mut queue, &mut events, Token(4));
    }
}

#[test]
fn an_object_signalled_before_it_was_registered_gives_an_event_at_once() {
    let (mut queue, mut events) = queue();
    let mut source = Waitable::new(event(true, true));
    queue.registry().register(&mut source, TOKEN, Interest::READABLE | Interest::WRITABLE).unwrap();
    queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TOKEN]);
}

#[test]
fn a_signal_from_another_thread_ends_a_poll() {
    let (mut queue, mut events) = queue();
    let object = event(false, false);
    let mut source = Waitable::new(object.as_handle());
    thread::scope(|scope| {
        for _ in 0..20 {
            let registry = queue.registry();
            match registry.register(&mut source, TOKEN, Interest::READABLE) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    registry.reregister(&mut source, TOKEN, Interest::READABLE).unwrap();
                }
                result => result.unwrap(),
            }
            scope.spawn(|| set(&object));
            assert_event(&mut queue, &mut events, TOKEN);
        }
    });
}

#[test]
fn level_triggered_each_poll_tells_while_the_object_is_signalled() {
    let (mut queue, mut events) = queue();
    let mut source = Waitable::new(event(true, false));
    queue.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Level).unwrap();
    assert_silent(&mut queue, &mut events);
    for _ in 0..3 {
        set(&*source);
        assert_event(&mut queue, &mut events, TOKEN);
        for _ in 0..5 {
            queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TOKEN]);
        }
        reset(&*source);
        assert_silent(&mut queue, &mut events);
    }
    // From now on, the registration is a one-shot.
    queue.registry().reregister_with(&mut source, TOKEN, Interest::READABLE, Trigger::OneShot).unwrap();
    set(&*source);
    assert_event(&mut queue, &mut events, TOKEN);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn each_unit_of_a_semaphore_is_an_event() {
    let (mut queue, mut events) = queue();
    // SAFETY: the call takes no attributes and no name.
    let semaphore = owned(unsafe { CreateSemaphoreW(ptr::null(), 2, 10, ptr::null()) });
    let mut source = Waitable::new(semaphore);
    queue.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Level).unwrap();
    for _ in 0..2 {
        assert_event(&mut queue, &mut events, TOKEN);
    }
    assert_silent(&mut queue, &mut events);
    // SAFETY: the handle is open, and a null pointer asks for no count.
    assert_ne!(unsafe { ReleaseSemaphore(source.as_raw_handle(), 3, ptr::null_mut()) }, 0);
    for _ in 0..3 {
        assert_event(&mut queue, &mut events, TOKEN);
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_childs_exit_is_an_event_before_and_after_it_was_registered() {
    let (mut queue, mut events) = queue();
    let mut late = Waitable::new(child("exit 3"));
    assert_eq!(late.wait().unwrap().code(), Some(3));
    queue.registry().register(&mut late, Token(1), Interest::READABLE).unwrap();
    assert_event(&mut queue, &mut events, Token(1));

    let mut command = Command::new("cmd");
    // This process ends when its input ends.
    let mut process = command.args(["/c", "set /p line="]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let input = process.stdin.take().unwrap();
    let mut borrowed = Waitable::new(&process);
    queue.registry().register(&mut borrowed, Token(2), Interest::READABLE).unwrap();
    assert_silent(&mut queue, &mut events);
    drop(input);
    assert_event(&mut queue, &mut events, Token(2));
    drop(borrowed);
    process.wait().unwrap();
}

#[test]
fn a_threads_end_is_an_event() {
    let (mut queue, mut events) = queue();
    let go = Arc::new(event(true, false));
    let signal = Arc::clone(&go);
    let mut source = Waitable::new(thread::spawn(move || while !is_signalled(&*go) {}));
    queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
    assert_silent(&mut queue, &mut events);
    set(&*signal);
    assert_event(&mut queue, &mut events, TOKEN);
    source.into_inner().join().unwrap();
}

#[test]
fn after_deregistering_or_dropping_there_is_no_event() {
    let (mut queue, mut events) = queue();
    for round in 0..300 {
        let object = event(true, round % 3 == 0);
        let mut source = Waitable::new(object.as_handle());
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| set(&object));
            if round % 2 == 0 {
                queue.registry().deregister(&mut source).unwrap();
            } else {
                drop(source);
            }
        });
        queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty(), "round {round}: {events:?}");
    }
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_signal_that_was_taken_and_not_reported_is_told_to_the_new_registration() {
    let (mut queue, mut events) = queue();
    let mut source = Waitable::new(event(false, false));
    queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
    for number in 0..50 {
        set(&*source);
        // This moment is between the signal and its packet.
        while number % 2 == 0 && is_signalled_still(&*source) {}
        queue.registry().reregister(&mut source, Token(number), Interest::READABLE).unwrap();
        assert_event(&mut queue, &mut events, Token(number));
        queue.registry().reregister(&mut source, TOKEN, Interest::READABLE).unwrap();
    }
}

/// Returns the ways in which a registration can end.
fn ends() -> [fn(Poll, Waitable<BorrowedHandle<'_>>); 4] {
    [
        |queue, mut source| queue.registry().deregister(&mut source).unwrap(),
        |_queue, source| drop(source),
        |_queue, source| _ = source.into_inner(),
        |queue, source| {
            drop(queue);
            drop(source);
        },
    ]
}

#[test]
fn a_signal_that_was_taken_and_not_reported_is_given_back_when_the_registration_ends() {
    for end in ends() {
        let object = event(false, true);
        let (queue, _events) = queue();
        let mut source = Waitable::new(object.as_handle());
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        assert!(!is_signalled(&object));
        end(queue, source);
        assert!(is_signalled(&object));

        // SAFETY: the call takes no attributes and no name.
        let semaphore = owned(unsafe { CreateSemaphoreW(ptr::null(), 2, 10, ptr::null()) });
        let queue = Poll::new().unwrap();
        let mut source = Waitable::new(semaphore.as_handle());
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        end(queue, source);
        let count = (0..10).take_while(|_| is_signalled(&semaphore)).count();
        assert_eq!(count, 2);
    }
}

#[test]
fn a_source_whose_queue_is_gone_keeps_no_signal() {
    // SAFETY: the call takes no attributes and no name.
    let semaphore = owned(unsafe { CreateSemaphoreW(ptr::null(), 0, 10, ptr::null()) });
    // SAFETY: the handle is open, and a null pointer asks for no count.
    let release = || assert_ne!(unsafe { ReleaseSemaphore(semaphore.as_raw_handle(), 1, ptr::null_mut()) }, 0);
    let event = event(false, false);
    for (object, signal) in [(&event, &(|| set(&event)) as &dyn Fn()), (&semaphore, &release)] {
        for round in 0..50 {
            let queue = Poll::new().unwrap();
            let mut source = Waitable::new(object.as_handle());
            queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
            drop(queue);
            signal();
            // SAFETY: the handle is open.
            let waited = unsafe { WaitForSingleObject(object.as_raw_handle(), GUARD.as_millis() as u32) };
            assert_eq!(waited, WAIT_OBJECT_0, "round {round}");
            drop(source);
            assert!(!is_signalled(object), "round {round}");
        }
    }
}

#[test]
fn a_signal_that_was_reported_is_not_given_back() {
    for end in ends() {
        let object = event(false, true);
        let (mut queue, mut events) = queue();
        let mut source = Waitable::new(object.as_handle());
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        assert_event(&mut queue, &mut events, TOKEN);
        end(queue, source);
        assert!(!is_signalled(&object));
    }
}

#[test]
fn an_object_that_was_reset_stays_so_when_the_registration_ends() {
    for end in ends() {
        let object = event(true, true);
        let (queue, _events) = queue();
        let mut source = Waitable::new(object.as_handle());
        queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
        reset(&object);
        end(queue, source);
        assert!(!is_signalled(&object));
    }
}

#[test]
fn level_triggered_an_object_that_was_reset_before_the_poll_is_not_reported() {
    let (mut queue, mut events) = queue();
    let mut source = Waitable::new(event(true, true));
    queue.registry().register_with(&mut source, TOKEN, Interest::READABLE, Trigger::Level).unwrap();
    reset(&*source);
    assert_silent(&mut queue, &mut events);
    for _ in 0..3 {
        set(&*source);
        assert_event(&mut queue, &mut events, TOKEN);
        reset(&*source);
        assert_silent(&mut queue, &mut events);
    }
}

#[test]
fn the_end_of_a_registration_lets_go_of_the_object() {
    for (number, end) in ends().into_iter().enumerate() {
        for signalled in [false, true] {
            let name = format!("mio-waitable-{}-{number}-{signalled}\0", std::process::id());
            let name: Vec<u16> = name.encode_utf16().collect();
            // SAFETY: the call takes no attributes, and the name ends with a NUL.
            let object = owned(unsafe { CreateEventW(ptr::null(), 1, signalled.into(), name.as_ptr()) });
            let (queue, _events) = queue();
            let survivor = queue.registry().try_clone().unwrap();
            let mut source = Waitable::new(object.as_handle());
            queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
            end(queue, source);
            drop(object);
            // SAFETY: the name ends with a NUL. A name lives as long as something holds the object.
            assert!(unsafe { OpenEventW(SYNCHRONIZE, 0, name.as_ptr()) }.is_null());
            drop(survivor);
        }
    }
}

/// Returns whether an auto-reset event is set. If it is, this sets it again.
fn is_signalled_still(event: &impl AsHandle) -> bool {
    let signalled = is_signalled(event);
    if signalled {
        set(event);
    }
    signalled
}

#[test]
fn misuse_is_an_error() {
    let ((queue, _events), other) = (queue(), Poll::new().unwrap());
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    let mut source = Waitable::new(event(true, false));
    let registry = queue.registry();
    assert_eq!(kind(registry.reregister(&mut source, TOKEN, Interest::READABLE)), ErrorKind::NotFound);
    assert_eq!(kind(registry.deregister(&mut source)), ErrorKind::NotFound);
    assert_eq!(kind(registry.register(&mut source, TOKEN, Interest::WRITABLE)), ErrorKind::InvalidInput);
    registry.register(&mut source, TOKEN, Interest::READABLE).unwrap();
    assert_eq!(kind(registry.register(&mut source, TOKEN, Interest::READABLE)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().register(&mut source, TOKEN, Interest::READABLE)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().reregister(&mut source, TOKEN, Interest::READABLE)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().deregister(&mut source)), ErrorKind::NotFound);
    registry.deregister(&mut source).unwrap();
    assert_eq!(kind(registry.deregister(&mut source)), ErrorKind::NotFound);
    other.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
    drop(other);
    registry.register(&mut source, TOKEN, Interest::READABLE).unwrap();
}

#[test]
fn what_cannot_be_waited_for_is_an_error() {
    const EVENT_MODIFY_STATE: u32 = 0x2;

    let (queue, _events) = queue();
    // SAFETY: the call takes no attributes and no name.
    let mutex = owned(unsafe { CreateMutexW(ptr::null(), 0, ptr::null()) });
    let error = queue.registry().register(&mut Waitable::new(mutex), TOKEN, Interest::READABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // SAFETY: the call takes no attributes and no name.
    let mute = owned(unsafe { CreateEventExW(ptr::null(), ptr::null(), 0, EVENT_MODIFY_STATE) });
    let error = queue.registry().register(&mut Waitable::new(mute), TOKEN, Interest::READABLE).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ERROR_ACCESS_DENIED as i32));
}

#[test]
fn closing_the_object_while_it_is_registered_does_no_harm() {
    let (mut queue, mut events) = queue();
    let object = event(true, false);
    let other_name = object.try_clone().unwrap();
    let mut source = Waitable::new(Forgetful(Some(object)));
    queue.registry().register(&mut source, TOKEN, Interest::READABLE).unwrap();
    source.0 = None;
    set(&other_name);
    assert_event(&mut queue, &mut events, TOKEN);
}

/// A source that forgets its handle.
struct Forgetful(Option<OwnedHandle>);

impl AsHandle for Forgetful {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_ref().unwrap().as_handle()
    }
}

#[test]
fn more_objects_than_one_thread_of_the_pool_waits_for() {
    const COUNT: usize = 200;

    let (mut queue, mut events) = queue();
    let mut sources: Vec<_> = (0..COUNT).map(|_| Waitable::new(event(false, false))).collect();
    for (number, source) in sources.iter_mut().enumerate() {
        queue.registry().register(source, Token(number), Interest::READABLE).unwrap();
    }
    for source in &sources {
        set(&**source);
    }
    let mut seen = vec![0; COUNT];
    let start = Instant::now();
    while seen.contains(&0) {
        queue.poll(&mut events, Some(GUARD)).unwrap();
        events.iter().for_each(|event| seen[event.token().0] += 1);
        assert!(start.elapsed() < GUARD);
    }
    assert!(seen.iter().all(|&count| count == 1));
    assert_silent(&mut queue, &mut events);
}

#[test]
fn queue_and_sources_may_go_in_any_order_while_signals_come() {
    let stop = AtomicBool::new(false);
    let object = event(false, false);
    let handles = || {
        let mut count = 0;
        // SAFETY: there is room for the count.
        assert_ne!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) }, 0);
        count
    };
    let mut before = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                set(&object);
            }
        });
        for round in 0..500 {
            let (mut queue, mut events) = queue();
            let mut source = Waitable::new(object.as_handle());
            let trigger = if round % 2 == 0 { Trigger::Level } else { Trigger::Edge };
            queue.registry().register_with(&mut source, TOKEN, Interest::READABLE, trigger).unwrap();
            if round % 5 != 0 {
                queue.poll(&mut events, Some(Duration::ZERO)).unwrap();
            }
            match round % 3 {
                0 => drop((queue, source)),
                1 => drop((source, queue)),
                _ => drop(scope.spawn(move || drop(source))),
            }
            if round == 100 {
                before = handles();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Other tests in this process have handles as well. A leak would be one handle for each round.
    assert!(handles() < before + 200);
}
