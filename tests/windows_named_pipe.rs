//! Named pipes: their readiness comes from overlapped I/O.

#![cfg(windows)]
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::windows::NamedPipe;
use mio::{Events, Interest, Poll, Token, Trigger, Waker};
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, ERROR_PIPE_LISTENING, ERROR_PIPE_NOT_CONNECTED, GetHandleInformation,
    HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_MESSAGE, PIPE_TYPE_BYTE, PIPE_TYPE_MESSAGE, SetNamedPipeHandleState,
};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);
const GUARD: Duration = Duration::from_secs(60);

fn name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!(r"\\.\pipe\mio-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn client(name: &str) -> NamedPipe {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap();
    // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

fn message_server(name: &str) -> NamedPipe {
    create(name, 0, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE).unwrap()
}

fn open_server(name: &str, flags: u32) -> io::Result<NamedPipe> {
    create(name, flags, PIPE_TYPE_BYTE)
}

fn create(name: &str, flags: u32, mode: u32) -> io::Result<NamedPipe> {
    let name: Vec<u16> = std::ffi::OsStr::new(name).encode_wide().chain([0]).collect();
    let access = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags;
    // SAFETY: the name ends with a NUL.
    let handle = unsafe { CreateNamedPipeW(name.as_ptr(), access, mode, 255, 1 << 16, 1 << 16, 0, ptr::null()) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is new, and nothing else owns it.
    Ok(unsafe { NamedPipe::from_raw_handle(handle) })
}

/// Returns a queue, a registered server that waits for a client, and the name of the pipe.
fn waiting(interest: Interest) -> (Poll, Events, NamedPipe, String) {
    let name = name();
    let mut server = NamedPipe::new(&name).unwrap();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    queue.registry().register(&mut server, SERVER, interest).unwrap();
    assert_would_block(server.connect());
    assert_silent(&mut queue, &mut events);
    (queue, events, server, name)
}

/// Returns a queue and the registered ends of a connected pipe, whose first writable events have been seen.
fn connected() -> (Poll, Events, NamedPipe, NamedPipe) {
    let name = name();
    let server = NamedPipe::new(&name).unwrap();
    connect(server, client(&name))
}

fn connect(mut server: NamedPipe, mut client: NamedPipe) -> (Poll, Events, NamedPipe, NamedPipe) {
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    queue.registry().register(&mut client, CLIENT, BOTH).unwrap();
    server.connect().unwrap();
    let mut missing = vec![SERVER, CLIENT];
    while !missing.is_empty() {
        wait(&mut queue, &mut events);
        missing.retain(|&token| !events.iter().any(|event| event.token() == token && event.is_writable()));
    }
    (queue, events, server, client)
}

fn wait(queue: &mut Poll, events: &mut Events) {
    queue.poll(events, Some(GUARD)).unwrap();
    assert!(!events.is_empty(), "no event comes");
}

fn wait_for(queue: &mut Poll, events: &mut Events, token: Token, hint: fn(&Event) -> bool) -> Event {
    let start = Instant::now();
    loop {
        wait(queue, events);
        if let Some(event) = events.iter().find(|event| event.token() == token && hint(event)) {
            return event.clone();
        }
        assert!(start.elapsed() < GUARD);
    }
}

/// Waits until an event of the server fulfils the condition. The condition sees all of the server's events.
fn wait_for_all(queue: &mut Poll, events: &mut Events, mut condition: impl FnMut(&Event) -> bool) {
    let start = Instant::now();
    let mut found = false;
    while !found {
        wait(queue, events);
        events.iter().filter(|event| event.token() == SERVER).for_each(|event| found |= condition(event));
        assert!(start.elapsed() < GUARD);
    }
}

fn assert_silent(queue: &mut Poll, events: &mut Events) {
    for _ in 0..3 {
        queue.poll(events, Some(Duration::from_millis(20))).unwrap();
        assert!(events.is_empty(), "{events:?}");
    }
}

fn assert_not_found<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
}

fn assert_would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// Reads once, and waits until that is possible.
fn read(
    queue: &mut Poll,
    events: &mut Events,
    token: Token,
    mut pipe: &NamedPipe,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match pipe.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_for(queue, events, token, Event::is_readable);
            }
            result => return result,
        }
    }
}

fn write_all(queue: &mut Poll, events: &mut Events, token: Token, mut pipe: &NamedPipe, data: &[u8]) -> io::Result<()> {
    loop {
        match pipe.write(data) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_for(queue, events, token, Event::is_writable);
            }
            result => return result.map(|count| assert_eq!(count, data.len())),
        }
    }
}

#[test]
fn a_pipe_is_a_source_that_threads_can_share() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<NamedPipe>();
}

#[test]
fn a_server_is_writable_when_a_client_has_come() {
    let name = name();
    let mut server = NamedPipe::new(&name).unwrap();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    assert_silent(&mut queue, &mut events);
    assert_would_block(server.connect());
    assert_would_block(server.connect());
    assert_would_block(server.read(&mut [0; 8]));
    assert_silent(&mut queue, &mut events);

    let _client = client(&name);
    let event = wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert!(!event.is_readable());
    assert!(server.take_error().unwrap().is_none());
    assert_silent(&mut queue, &mut events);
}

#[test]
fn each_success_of_connect_brings_an_event_whatever_the_interests_are() {
    for interest in [BOTH, Interest::READABLE, Interest::WRITABLE] {
        let (mut queue, mut events, server, name) = waiting(interest);
        let mut client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        for _ in 0..3 {
            assert_silent(&mut queue, &mut events);
            server.connect().unwrap();
            let event = wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
            assert!(!event.is_readable());
        }
        client.write_all(b"hello").unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
        assert_silent(&mut queue, &mut events);
        server.connect().unwrap();
        assert!(wait_for(&mut queue, &mut events, SERVER, Event::is_writable).is_readable());
    }
}

/// As in mio 1.2.5: a program that waits for what it has not asked for must not wait in vain.
#[test]
fn events_report_both_directions_whatever_the_interests_are() {
    for interest in [Interest::READABLE, Interest::WRITABLE] {
        let (mut queue, mut events, mut server, name) = waiting(interest);
        let mut client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        assert_would_block(server.read(&mut [0; 8]));
        client.write_all(b"hello").unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 5);
        // More than the pipe has room for.
        server.write_all(&vec![1; 300_000]).unwrap();
        assert_would_block(server.write(b"x"));
        client.read_exact(&mut vec![0; 300_000]).unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        drop(client);
        wait_for(&mut queue, &mut events, SERVER, Event::is_read_closed);
    }
}

#[test]
fn a_success_of_connect_while_something_is_written_brings_an_event_when_it_is_written() {
    let (mut queue, mut events, mut server, name) = waiting(Interest::READABLE);
    let mut client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    // This is more than the pipe has room for.
    server.write_all(&vec![1; 300_000]).unwrap();
    server.connect().unwrap();
    assert_silent(&mut queue, &mut events);
    client.read_exact(&mut vec![0; 300_000]).unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn a_write_while_connect_waits_fails_as_the_system_says() {
    let (mut queue, mut events, mut server, name) = waiting(BOTH);
    for _ in 0..2 {
        assert_eq!(server.write(b"x").unwrap_err().raw_os_error(), Some(ERROR_PIPE_LISTENING as i32));
    }
    assert_silent(&mut queue, &mut events);
    let _client = client(&name);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert_eq!(server.write(b"x").unwrap(), 1);
}

#[test]
fn a_read_that_fails_or_ends_is_followed_by_the_event_of_the_next_one() {
    for thrown_out in [false, true] {
        let (mut queue, mut events, server, mut client) = connected();
        if thrown_out {
            server.disconnect().unwrap();
        } else {
            drop(server);
        }
        for _ in 0..4 {
            wait_for(&mut queue, &mut events, CLIENT, Event::is_read_closed);
            assert_silent(&mut queue, &mut events);
            match client.read(&mut [0; 8]) {
                Ok(count) => assert_eq!((count, thrown_out), (0, false)),
                Err(error) => assert_eq!(error.raw_os_error(), Some(ERROR_PIPE_NOT_CONNECTED as i32)),
            }
        }
    }
}

#[test]
fn a_read_into_nothing_would_block_until_there_is_something() {
    let (mut queue, mut events, mut server, mut client) = connected();
    assert_would_block(server.read(&mut []));
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    assert_eq!(server.read(&mut []).unwrap(), 0);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 5);
    assert_would_block(server.read(&mut []));
    drop(client);
    wait_for(&mut queue, &mut events, SERVER, Event::is_read_closed);
    assert_eq!(server.read(&mut []).unwrap(), 0);
}

/// Cancels all operations on the handle, as a program may do with the handle from `as_raw_handle`.
fn cancel_all(pipe: &NamedPipe) {
    // SAFETY: the handle is open.
    assert_ne!(unsafe { CancelIoEx(pipe.as_raw_handle(), ptr::null()) }, 0);
}

/// The buffer of a write belongs to the kernel until the write has ended.
#[test]
fn a_write_goes_on_although_somebody_else_has_cancelled_connect() {
    let (mut queue, mut events, mut server, name) = waiting(BOTH);
    cancel_all(&server);
    let mut client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
    // This is more than the pipe has room for, and the event that connect was cancelled is still to come.
    let data: Vec<u8> = (0..300_000_u32).map(|index| index as u8).collect();
    assert_eq!(server.write(&data).unwrap(), data.len());
    wait_for(&mut queue, &mut events, SERVER, |_| true);
    assert_eq!(server.take_error().unwrap().unwrap().raw_os_error(), Some(ERROR_OPERATION_ABORTED as i32));
    assert_would_block(server.write(&[0; 400_000]));
    let mut received = vec![0; data.len()];
    client.read_exact(&mut received).unwrap();
    assert!(received == data);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert_eq!(server.write(b"x").unwrap(), 1);
}

#[test]
fn a_write_that_somebody_else_cancels_is_an_error_of_the_next_one_and_reading_goes_on() {
    let (mut queue, mut events, mut server, mut client) = connected();
    // This is more than the pipe has room for.
    assert_eq!(server.write(&vec![1; 300_000]).unwrap(), 300_000);
    wait_for(&mut queue, &mut events, CLIENT, Event::is_readable);
    assert_silent(&mut queue, &mut events);
    assert_would_block(server.write(b"x"));
    cancel_all(&server);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert_eq!(server.write(b"x").unwrap_err().raw_os_error(), Some(ERROR_OPERATION_ABORTED as i32));
    client.write_all(b"hello").unwrap();
    assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut [0; 8]).unwrap(), 5);
    // The pipe may be full of bytes that were written before that.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match client.read(&mut buffer) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            result => panic!("{result:?}"),
        }
    }
    server.write_all(b"again").unwrap();
    while !matches!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer), Ok(5)) {}
}

#[test]
fn a_connect_that_somebody_else_cancels_is_told_and_can_be_repeated() {
    let (mut queue, mut events, server, name) = waiting(Interest::READABLE);
    cancel_all(&server);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    let error = server.take_error().unwrap().unwrap();
    assert_eq!(error.raw_os_error(), Some(ERROR_OPERATION_ABORTED as i32));
    assert_would_block(server.connect());
    let _client = client(&name);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    server.connect().unwrap();
}

#[test]
fn data_goes_both_ways() {
    let (mut queue, mut events, server, client) = connected();
    let mut buffer = [0; 64];
    for round in 0..20_u8 {
        write_all(&mut queue, &mut events, CLIENT, &client, &[round; 7]).unwrap();
        assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut buffer).unwrap(), 7);
        assert_eq!(buffer[..7], [round; 7]);
        write_all(&mut queue, &mut events, SERVER, &server, &[round; 9]).unwrap();
        assert_eq!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap(), 9);
        assert_eq!(buffer[..9], [round; 9]);
    }
}

#[test]
fn vectored_io_fills_and_takes_all_slices() {
    let (mut queue, mut events, mut server, mut client) = connected();
    assert_eq!(client.write_vectored(&[IoSlice::new(b"hel"), IoSlice::new(b""), IoSlice::new(b"lo")]).unwrap(), 5);
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    let (mut one, mut two) = ([0; 2], [0; 8]);
    let count = server.read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]).unwrap();
    assert_eq!((count, &one, &two[..3]), (5, b"he", &b"llo"[..]));
}

#[test]
fn a_read_is_as_large_as_the_callers() {
    let (mut queue, mut events, server, client) = connected();
    let mut buffer = vec![0; 32 * 1024];
    // The first read asks for little. From then on, reads have the size of the caller's buffer.
    write_all(&mut queue, &mut events, CLIENT, &client, b"x").unwrap();
    assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut buffer).unwrap(), 1);
    for _ in 0..5 {
        write_all(&mut queue, &mut events, CLIENT, &client, &vec![7; 32 * 1024]).unwrap();
        assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut buffer).unwrap(), 32 * 1024);
    }
}

#[test]
fn small_reads_are_served_at_once_from_what_has_come() {
    let (mut queue, mut events, mut server, client) = connected();
    for _ in 0..100 {
        write_all(&mut queue, &mut events, CLIENT, &client, b"0123456789").unwrap();
        let mut byte = [0];
        assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut byte).unwrap(), 1);
        for expected in b"123456789" {
            assert_eq!(server.read(&mut byte).unwrap(), 1);
            assert_eq!(byte[0], *expected);
        }
        assert_would_block(server.read(&mut byte));
    }
}

#[test]
fn a_message_longer_than_the_read_comes_in_pieces_and_two_never_in_one() {
    let name = name();
    let server = message_server(&name);
    let client = client(&name);
    let mode = PIPE_READMODE_MESSAGE;
    // SAFETY: the handle is open, and the call reads the mode before it returns.
    assert_ne!(unsafe { SetNamedPipeHandleState(client.as_raw_handle(), &mode, ptr::null(), ptr::null()) }, 0);
    let (mut queue, mut events, server, client) = connect(server, client);

    let message: Vec<u8> = (0..10_240_u32).map(|number| number as u8).collect();
    write_all(&mut queue, &mut events, SERVER, &server, &message).unwrap();
    write_all(&mut queue, &mut events, SERVER, &server, b"the next").unwrap();
    let mut received = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while received.len() < message.len() {
        let count = read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap();
        received.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(received, message);
    let count = read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"the next");
}

#[test]
fn a_full_pipe_blocks_and_is_writable_when_read() {
    let (mut queue, mut events, mut server, client) = connected();
    let data = vec![1; 48 * 1024];
    let mut written = 0;
    while let Ok(count) = server.write(&data) {
        written += count;
        assert!(written < 1 << 24, "never full");
        queue.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    }
    let mut buffer = vec![0; 64 * 1024];
    while written > 0 {
        written -= read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap();
    }
    write_all(&mut queue, &mut events, SERVER, &server, b"again").unwrap();
    assert_eq!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap(), 5);
}

#[test]
fn a_pipe_dropped_with_a_write_pending_delivers_it() {
    let (mut queue, mut events, mut server, client) = connected();
    let data = vec![1; 48 * 1024];
    let mut written = 0;
    while let Ok(count) = server.write(&data) {
        written += count;
        queue.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    }
    drop(server);
    let mut buffer = vec![0; 64 * 1024];
    while written > 0 {
        written -= read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap();
    }
    assert_eq!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap(), 0);
}

#[test]
fn the_end_of_the_peer_is_readable_and_ends_reading() {
    let (mut queue, mut events, mut server, mut client) = connected();
    client.write_all(b"last words").unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    drop(client);
    let mut buffer = [0; 64];
    assert_eq!(server.read(&mut buffer).unwrap(), 10);
    wait_for(&mut queue, &mut events, SERVER, Event::is_read_closed);
    for _ in 0..3 {
        assert_eq!(server.read(&mut buffer).unwrap(), 0);
    }
}

#[test]
fn a_write_to_a_dead_peer_fails_without_harm() {
    for _ in 0..20 {
        let (mut queue, mut events, server, client) = connected();
        let killer = thread::spawn(move || drop(client));
        let error = loop {
            // The peer dies before, while or after the write is submitted.
            if let Err(error) = write_all(&mut queue, &mut events, SERVER, &server, &[0; 512]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error:?}");
        killer.join().unwrap();
    }
}

#[test]
fn a_client_that_comes_and_goes_while_the_server_connects_is_survived() {
    let name = name();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut server = NamedPipe::new(&name).unwrap();
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    for round in 0..50 {
        let path = name.clone();
        let guest = thread::spawn(move || {
            let start = Instant::now();
            while start.elapsed() < GUARD {
                if let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) {
                    file.write_all(b"knock").unwrap();
                    return;
                }
                thread::yield_now();
            }
            panic!("round {round}: the server cannot be opened");
        });
        while let Err(error) = server.connect() {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        }
        let mut buffer = [0; 16];
        let mut heard = 0;
        loop {
            match read(&mut queue, &mut events, SERVER, &server, &mut buffer).unwrap() {
                0 => break,
                count => heard += count,
            }
        }
        assert_eq!(heard, 5, "round {round}");
        guest.join().unwrap();
        server.disconnect().unwrap();
    }
}

#[test]
fn a_server_serves_one_client_after_the_other() {
    let name = name();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut server = NamedPipe::new(&name).unwrap();
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    let mut buffer = [0; 16];
    for round in 0..5 {
        assert_would_block(server.connect());
        let mut client = client(&name);
        queue.registry().register(&mut client, CLIENT, BOTH).unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        server.connect().unwrap();
        // The server is disconnected with a read in flight, which must not affect the next client.
        write_all(&mut queue, &mut events, SERVER, &server, &[round]).unwrap();
        assert_eq!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], round);
        server.disconnect().unwrap();
        let error = read(&mut queue, &mut events, CLIENT, &client, &mut buffer);
        assert!(!matches!(error, Ok(1..)), "{error:?}");
        if let Err(error) = error {
            assert_eq!(error.raw_os_error(), Some(ERROR_PIPE_NOT_CONNECTED as i32));
        }
        assert_would_block(server.read(&mut buffer));
    }
}

#[test]
fn a_deregistered_pipe_is_silent_whatever_completes() {
    let (mut queue, mut events, mut server, mut client) = connected();
    queue.registry().deregister(&mut server).unwrap();
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, CLIENT, Event::is_writable);
    assert_silent(&mut queue, &mut events);
    assert_eq!(queue.registry().deregister(&mut server).unwrap_err().kind(), ErrorKind::NotFound);

    queue.registry().register(&mut server, Token(5), Interest::READABLE).unwrap();
    wait_for(&mut queue, &mut events, Token(5), Event::is_readable);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 5);
}

/// As in mio 1.2.5, because no event would report the end of an operation that starts then.
#[test]
fn a_deregistered_pipe_starts_nothing_and_gives_what_was_under_way() {
    let (mut queue, mut events, mut server, mut client) = connected();
    // A read is always under way.
    queue.registry().deregister(&mut server).unwrap();
    assert_would_block(server.read(&mut [0; 8]));
    assert_not_found(server.write(b"x"));
    assert_not_found(server.connect());
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, CLIENT, Event::is_writable);
    assert_silent(&mut queue, &mut events);
    assert_eq!(server.read(&mut [0; 3]).unwrap(), 3);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 2);
    assert_not_found(server.read(&mut [0; 8]));
    // Nor does the end of a read by other code start another.
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    queue.registry().deregister(&mut server).unwrap();
    cancel_all(&server);
    assert_silent(&mut queue, &mut events);
    assert_not_found(server.read(&mut [0; 8]));

    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    server.connect().unwrap();
    assert_would_block(server.read(&mut [0; 8]));
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 5);
}

#[test]
fn a_deregistered_server_goes_on_waiting_and_learns_of_its_client_when_it_is_registered_again() {
    let (mut queue, mut events, mut server, name) = waiting(BOTH);
    queue.registry().deregister(&mut server).unwrap();
    assert_would_block(server.connect());
    assert_not_found(server.read(&mut [0; 8]));
    assert_not_found(server.write(b"x"));
    let mut client = OpenOptions::new().read(true).write(true).open(&name).unwrap();
    client.write_all(b"hello").unwrap();
    assert_silent(&mut queue, &mut events);
    assert_not_found(server.connect());
    assert_not_found(server.read(&mut [0; 8]));
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    let mut readable = false;
    wait_for_all(&mut queue, &mut events, |event| {
        readable |= event.is_readable();
        event.is_writable()
    });
    server.connect().unwrap();
    assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut [0; 8]).unwrap(), 5);
}

#[test]
fn reregister_registers_a_deregistered_pipe_anew() {
    let (mut queue, mut events, mut server, _client) = connected();
    queue.registry().deregister(&mut server).unwrap();
    queue.registry().reregister(&mut server, Token(6), BOTH).unwrap();
    wait_for(&mut queue, &mut events, Token(6), Event::is_writable);
    let error = queue.registry().register(&mut server, SERVER, BOTH).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    queue.registry().deregister(&mut server).unwrap();
}

#[test]
fn registering_tells_of_what_is_ready_already() {
    let (mut queue, mut events, mut server, mut client) = connected();
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    assert_silent(&mut queue, &mut events);
    for token in [Token(7), Token(8)] {
        queue.registry().reregister(&mut server, token, BOTH).unwrap();
        let event = wait_for(&mut queue, &mut events, token, Event::is_readable);
        assert!(event.is_writable());
    }
}

#[test]
fn misuse_is_an_error() {
    let (queue, _events, mut server, _client) = connected();
    let other = Poll::new().unwrap();
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(queue.registry().register(&mut server, SERVER, BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().register(&mut server, SERVER, BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().reregister(&mut server, SERVER, BOTH)), ErrorKind::AlreadyExists);
    assert_eq!(kind(other.registry().deregister(&mut server)), ErrorKind::AlreadyExists);
    let level = queue.registry().reregister_with(&mut server, SERVER, BOTH, Trigger::Level);
    assert_eq!(kind(level), ErrorKind::Unsupported);
    assert_eq!(NamedPipe::new("\\\\.\\pipe\\a\0b").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(NamedPipe::new("no pipe's name").is_err());
}

#[test]
fn io_before_the_registration_is_not_found() {
    let mut server = NamedPipe::new(name()).unwrap();
    assert_not_found(server.connect());
    assert_not_found(server.read(&mut [0; 8]));
    assert_not_found(server.read(&mut []));
    assert_not_found(server.write(b"x"));
    let queue = Poll::new().unwrap();
    assert_not_found(queue.registry().reregister(&mut server, SERVER, BOTH));
    assert_not_found(queue.registry().deregister(&mut server));
    // None of this has done any harm.
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    assert_would_block(server.connect());
}

#[test]
fn io_after_the_queue_has_gone_is_not_found() {
    let (queue, events, mut server, mut client) = connected();
    drop((queue, events));
    assert_not_found(server.read(&mut [0; 8]));
    assert_not_found(server.write(b"x"));
    assert_not_found(client.write(b"x"));
    for arrives in [false, true] {
        let (mut queue, mut events, server, name) = waiting(BOTH);
        let client = arrives.then(|| OpenOptions::new().read(true).write(true).open(&name).unwrap());
        if client.is_some() {
            wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        }
        drop(queue);
        assert_not_found(server.connect());
    }
    // A pipe stays with its first queue.
    let other = Poll::new().unwrap();
    assert_eq!(other.registry().register(&mut server, SERVER, BOTH).unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// After that, no event can announce the next read, so the next call has to return the error.
#[test]
fn bytes_that_were_read_when_the_queue_goes_are_not_lost() {
    let (mut queue, mut events, mut server, mut client) = connected();
    client.write_all(b"hello").unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_readable);
    drop((queue, events));
    let mut buffer = [0; 3];
    assert_eq!(server.read(&mut buffer).unwrap(), 3);
    assert_eq!(server.read(&mut buffer[..2]).unwrap(), 2);
    assert_eq!(&buffer, b"lol");
    assert_not_found(server.read(&mut buffer));
}

#[test]
fn a_client_that_comes_and_goes_without_a_word_makes_the_server_writable_and_read_closed() {
    for interest in [BOTH, Interest::READABLE, Interest::WRITABLE] {
        let (mut queue, mut events, mut server, name) = waiting(interest);
        drop(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let mut closed = false;
        wait_for_all(&mut queue, &mut events, |event| {
            closed |= event.is_read_closed();
            event.is_writable()
        });
        server.connect().unwrap();
        assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut [0; 8]).unwrap(), 0);
        assert!(closed);
        server.disconnect().unwrap();
        assert_would_block(server.connect());
        let _ = server.write(b"");
    }
}

#[test]
fn a_server_that_waits_hears_of_its_client_whatever_the_interests_are() {
    let (mut queue, mut events, _server, name) = waiting(Interest::READABLE);
    let _client = client(&name);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    assert_silent(&mut queue, &mut events);
}

#[test]
fn disconnect_forgets_a_connect_that_is_pending() {
    let (mut queue, mut events, server, name) = waiting(BOTH);
    for _ in 0..3 {
        server.disconnect().unwrap();
        assert_would_block(server.connect());
    }
    assert_silent(&mut queue, &mut events);
    assert!(server.take_error().unwrap().is_none());
    assert_would_block(server.connect());
    let _client = client(&name);
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    server.connect().unwrap();
    assert!(server.take_error().unwrap().is_none());
}

#[test]
fn disconnect_forgets_a_connect_that_has_completed_unseen() {
    let (mut queue, mut events, mut server, name) = waiting(BOTH);
    for _ in 0..3 {
        let guest = client(&name);
        server.disconnect().unwrap();
        assert_would_block(server.connect());
        drop(guest);
    }
    // No event reports any of the guests.
    assert_silent(&mut queue, &mut events);
    assert_would_block(server.connect());
    assert_would_block(server.read(&mut [0; 8]));

    let mut client = client(&name);
    queue.registry().register(&mut client, CLIENT, BOTH).unwrap();
    wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
    server.connect().unwrap();
    client.write_all(b"hello").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(read(&mut queue, &mut events, SERVER, &server, &mut buffer).unwrap(), 5);
}

#[test]
fn a_write_in_flight_when_the_client_is_disconnected_does_not_block_the_next_one() {
    let (mut queue, mut events, server, name) = waiting(BOTH);
    for round in 0..3 {
        let mut client = client(&name);
        queue.registry().register(&mut client, CLIENT, BOTH).unwrap();
        wait_for(&mut queue, &mut events, SERVER, Event::is_writable);
        server.connect().unwrap();
        write_all(&mut queue, &mut events, SERVER, &server, &[round]).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(read(&mut queue, &mut events, CLIENT, &client, &mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], round);
        // This is more than the pipe has room for.
        let data = vec![0xff; 300_000];
        write_all(&mut queue, &mut events, SERVER, &server, &data).unwrap();
        server.disconnect().unwrap();
        assert_would_block(server.connect());
    }
}

#[test]
fn one_poll_gives_at_most_one_event_for_a_pipe() {
    let name = name();
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut server = NamedPipe::new(&name).unwrap();
    queue.registry().register(&mut server, SERVER, BOTH).unwrap();
    let mut client = client(&name);
    queue.registry().register(&mut client, CLIENT, BOTH).unwrap();
    server.connect().unwrap();
    for round in 0..50 {
        let _ = server.write(b"to the client");
        let _ = client.write(b"to the server");
        if round % 5 == 0 {
            queue.registry().reregister(&mut server, SERVER, BOTH).unwrap();
            queue.registry().reregister(&mut client, CLIENT, BOTH).unwrap();
        }
        queue.poll(&mut events, Some(GUARD)).unwrap();
        for token in [SERVER, CLIENT] {
            let count = events.iter().filter(|event| event.token() == token).count();
            assert!(count <= 1, "{events:?}");
        }
        while server.read(&mut [0; 64]).is_ok() {}
        while client.read(&mut [0; 64]).is_ok() {}
    }
}

#[test]
fn what_is_written_and_read_in_one_poll_is_told_in_one_event() {
    let (mut queue, mut events, mut server, mut client) = connected();
    server.write_all(b"x").unwrap();
    client.write_all(b"y").unwrap();
    // Before the poll, both writes have completed, and the other end has both.
    thread::sleep(Duration::from_millis(50));
    queue.poll(&mut events, Some(GUARD)).unwrap();
    for token in [SERVER, CLIENT] {
        let mut of_token = events.iter().filter(|event| event.token() == token);
        let event = of_token.next().expect("each end has an event");
        assert!(event.is_readable() && event.is_writable());
        assert!(of_token.next().is_none());
    }
}

#[test]
fn a_write_takes_a_part_of_what_is_too_long() {
    const MEBIBYTE: usize = 1 << 20;

    let (_queue, _events, mut server, _client) = connected();
    // Together they are longer than 4 GiB, and than the address space of a 32-bit process.
    let data = vec![7; MEBIBYTE];
    let slices = vec![IoSlice::new(&data); 5000];
    let count = server.write_vectored(&slices).unwrap();
    assert!((MEBIBYTE as u64..5000 * MEBIBYTE as u64).contains(&(count as u64)), "{count}");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_write_takes_a_part_of_one_buffer_that_is_too_long() {
    let (_queue, _events, mut server, _client) = connected();
    // Nobody touches most of it, so it takes no memory.
    let data = vec![0; (1 << 32) + 1];
    assert!((1..data.len()).contains(&server.write(&data).unwrap()));
}

#[test]
fn a_name_that_exists_already_is_an_error_where_the_system_tells() {
    let name = name();
    let _first = NamedPipe::new(&name).unwrap();
    // Wine 8 ignores the flag.
    let told = open_server(&name, FILE_FLAG_FIRST_PIPE_INSTANCE).is_err();
    assert_eq!(NamedPipe::new(&name).is_err(), told);
    // The call itself makes further instances.
    drop(open_server(&name, 0).unwrap());
}

#[test]
fn a_pipe_is_not_inherited_by_children() {
    let pipe = NamedPipe::new(name()).unwrap();
    let mut flags = 0;
    // SAFETY: the handle is open, and there is room for the flags.
    assert_ne!(unsafe { GetHandleInformation(pipe.as_raw_handle(), &mut flags) }, 0);
    assert_eq!(flags & HANDLE_FLAG_INHERIT, 0);
}

#[test]
fn queue_and_pipes_can_be_dropped_in_any_order_with_operations_in_flight() {
    for round in 0..30 {
        let (queue, events, mut server, client) = connected();
        server.write_all(&vec![0; 200 * 1024]).unwrap();
        match round % 3 {
            0 => {
                drop((queue, events));
                assert_eq!(server.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::NotFound);
                drop((server, client));
            }
            1 => {
                drop(client);
                drop((queue, events));
                drop(server);
            }
            _ => {
                drop((server, client));
                drop((queue, events));
            }
        }
    }
}

#[test]
fn a_packet_of_somebody_elses_operation_is_no_event_and_no_wake() {
    let (mut queue, mut events, server, client) = connected();
    let waker = Waker::new(queue.registry(), Token(7)).unwrap();
    let mut operation = Box::new(OVERLAPPED::default());
    for _ in 0..3 {
        // The crate does not see this write, but its packet comes to the queue.
        // SAFETY: the handle is open. The data and the operation stay until the write is over.
        let result = unsafe { WriteFile(client.as_raw_handle(), b"x".as_ptr(), 1, ptr::null_mut(), &mut *operation) };
        assert!(result != 0 || io::Error::last_os_error().raw_os_error() == Some(ERROR_IO_PENDING as i32));
        let start = Instant::now();
        while (&server).read(&mut [0; 8]).is_err() {
            queue.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
            assert!(events.iter().all(|event| event.token() == SERVER && event.is_readable()), "{events:?}");
            assert!(start.elapsed() < GUARD);
        }
        assert_silent(&mut queue, &mut events);
    }
    waker.wake().unwrap();
    wait_for(&mut queue, &mut events, Token(7), Event::is_readable);
}

/// `MIO_TEST_SERIAL` names a port, such as `COM9`. The port sends back what is written to it, and each read waits until it has
/// everything that it asks for. Without the variable there is nothing to test.
#[test]
fn a_serial_port_gives_what_has_come_without_waiting_for_more() {
    let Ok(port) = std::env::var("MIO_TEST_SERIAL") else { return };
    let mut port = client(&format!(r"\\.\{port}"));
    let mut queue = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    queue.registry().register(&mut port, CLIENT, BOTH).unwrap();
    for round in 0..20_u8 {
        write_all(&mut queue, &mut events, CLIENT, &port, &[b'a' + round; 3]).unwrap();
        for _ in 0..3 {
            let mut byte = [0];
            assert_eq!(read(&mut queue, &mut events, CLIENT, &port, &mut byte).unwrap(), 1);
            assert_eq!(byte, [b'a' + round]);
        }
    }
}
