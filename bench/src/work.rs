//! The programs: what an event loop does, each written once for any peer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::holder::Holder;
use crate::peers::eventfd::EventFd;
use crate::pin::Pinned;
use crate::queue::{Direction, POLL_BACKENDS, Queue, Sockets, Wake};

/// What a program does.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Work {
    /// A byte goes there and back over a socket pair, on one thread.
    PingPong,
    /// So many sources are registered, and so many of them become ready before each poll. One operation is one event. If there
    /// are more than [`HELD`], other processes hold most of them, and those that this process holds take turns at being ready.
    Active { registered: usize, active: usize },
    /// A source is registered, reregistered and deregistered.
    Churn,
    /// A poll does not wait, and nothing is ready.
    IdlePoll,
    /// A wake happens while the poller is not waiting and has already been woken.
    RedundantWake,
    /// A wake happens, and then the poll that returns its event.
    WakeThenPoll,
    /// Another thread wakes the sleeping poller, which then wakes that thread. The two wakes are two operations. The threads
    /// run on one processor, or on two.
    WakeSleeping { processors: usize },
    /// So many threads wake one poller as often as they can.
    WakeStorm { threads: usize },
    /// A poll has this time-out, and nothing is ready.
    TimeOut(Duration),
    /// Messages of 64 bytes go there and back over so many TCP connections. One operation is one message there and back.
    TcpEcho { connections: usize },
    /// The same, with a datagram over one UDP socket.
    UdpEcho,
    /// A TCP connection is made, accepted, registered at both ends, and closed.
    ConnectAcceptClose,
    /// So many sources are registered, and stay registered.
    Register(usize),
    /// Each of many sources is registered, reregistered or deregistered once.
    Change(Change),
    /// A wake has to tell the OS, because the queue's descriptor is out, and a poll returns its event.
    WakeExported,
    /// The standard library writes 64 bytes, and the peer reads them.
    TcpRead,
    /// The peer writes 64 bytes, and the standard library reads them.
    TcpWrite,
}

#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Change {
    Register,
    Reregister,
    Deregister,
}

/// Does so many operations.
pub type Program = Box<dyn FnMut(u64) -> io::Result<()>>;

const WAKER: usize = usize::MAX - 1;
const CAPACITY: usize = 1024;
/// How many operations a program of [`Work::Change`] can do.
pub const CHANGES: usize = 2_000;
/// How many sources a process may hold, beside those of the other peers. If there are more, the next constant says how many of
/// them it holds.
pub const HELD: usize = 10_000;
const HELD_OF_MORE: usize = 2_000;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub fn start<Q: Sockets + 'static>(work: Work) -> io::Result<Program> {
    match work {
        Work::PingPong => ping_pong::<Q>(),
        Work::Active { registered, active } => active_of::<Q>(registered, active),
        Work::Churn => churn::<Q>(),
        Work::IdlePoll => idle_poll::<Q>(),
        Work::RedundantWake => redundant_wake::<Q>(),
        Work::WakeThenPoll => wake_then_poll::<Q>(),
        Work::WakeSleeping { processors } => wake_sleeping::<Q>(processors),
        Work::WakeStorm { threads } => wake_storm::<Q>(threads),
        Work::TimeOut(time) => time_out::<Q>(time),
        // With poll(2), the program would have to read until `WouldBlock`, and would measure that.
        Work::TcpEcho { .. } | Work::UdpEcho | Work::ConnectAcceptClose if POLL_BACKENDS => {
            Err(ErrorKind::Unsupported.into())
        }
        Work::TcpEcho { connections } => tcp_echo::<Q>(connections),
        Work::UdpEcho => udp_echo::<Q>(),
        Work::ConnectAcceptClose => connect_accept_close::<Q>(),
        Work::Register(count) => register::<Q>(count),
        Work::Change(what) => change::<Q>(what),
        Work::WakeExported => wake_exported::<Q>(),
        Work::TcpRead => tcp_transfer::<Q>(true),
        Work::TcpWrite => tcp_transfer::<Q>(false),
    }
}

/// Returns a program that owns `state`. Tuples drop their fields in order, so the queue stands before what it watches, and
/// helping threads stand before the queue.
fn program<S: 'static>(mut state: S, mut run: impl FnMut(&mut S, u64) -> io::Result<()> + 'static) -> Program {
    Box::new(move |operations| run(&mut state, operations))
}

fn ping_pong<Q: Queue + 'static>() -> io::Result<Program> {
    let (one, other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    let queue = Q::new(CAPACITY)?;
    let ends = [one, other];
    for (token, end) in ends.iter().enumerate() {
        queue.register(end.as_raw_fd(), token, Direction::Read)?;
    }
    Ok(program((queue, ends), |(queue, ends), operations| {
        for _ in 0..operations {
            // Writing to one end causes the event of the other.
            for expected in [1, 0] {
                (&ends[1 - expected]).write_all(&[1])?;
                let mut seen = false;
                while !seen {
                    queue.poll(None)?;
                    for token in queue.tokens() {
                        (&ends[token]).read_exact(&mut [0])?;
                        queue.rearm(ends[token].as_raw_fd(), token)?;
                        seen |= token == expected;
                    }
                }
            }
        }
        Ok(())
    }))
}

fn active_of<Q: Queue + 'static>(registered: usize, active: usize) -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let here = if registered > HELD { HELD_OF_MORE } else { registered };
    if here < registered && !Q::FORGETS_DESCRIPTORS {
        return Err(ErrorKind::Unsupported.into());
    }
    let open = |tokens: Range<usize>| -> io::Result<Vec<EventFd>> {
        let sources = tokens.clone().map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
        for (token, source) in tokens.zip(&sources) {
            queue.register(source.as_raw_fd(), token, Direction::Read)?;
        }
        Ok(sources)
    };
    let sources = open(0..here)?;
    let elsewhere = (here..registered).step_by(HELD_OF_MORE);
    let holders = elsewhere
        .map(|first| Holder::of(&open(first..registered.min(first + HELD_OF_MORE))?))
        .collect::<io::Result<Vec<_>>>()?;
    // These sources are far from each other, and change each time.
    let stride = here / active;
    let mut first = 0;
    Ok(program((queue, sources, holders), move |(queue, sources, _holders), operations| {
        let mut left = operations;
        while left > 0 {
            let now = left.min(active as u64);
            for index in 0..now as usize {
                sources[(first + index * stride) % here].set()?;
            }
            let mut seen = 0;
            while seen < now {
                queue.poll(None)?;
                for token in queue.tokens() {
                    sources[token].reset()?;
                    queue.rearm(sources[token].as_raw_fd(), token)?;
                    seen += 1;
                }
            }
            first += 1;
            left -= now;
        }
        Ok(())
    }))
}

fn churn<Q: Queue + 'static>() -> io::Result<Program> {
    if !Q::REGISTERS_AT_ONCE {
        return Err(ErrorKind::Unsupported.into());
    }
    let queue = Q::new(CAPACITY)?;
    let source = EventFd::new()?;
    Ok(program((queue, source), |(queue, source), operations| {
        let fd = source.as_raw_fd();
        for _ in 0..operations {
            queue.register(fd, 1, Direction::Read)?;
            queue.reregister(fd, 2, Direction::Write)?;
            queue.deregister(fd)?;
        }
        Ok(())
    }))
}

fn idle_poll<Q: Queue + 'static>() -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let source = EventFd::new()?;
    queue.register(source.as_raw_fd(), 0, Direction::Read)?;
    Ok(program((queue, source), move |(queue, _open), operations| {
        for _ in 0..operations {
            queue.poll(Some(Duration::ZERO))?;
        }
        Ok(())
    }))
}

fn redundant_wake<Q: Queue + 'static>() -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let waker = queue.waker(WAKER)?;
    Ok(program((waker, queue), |(waker, queue), operations| {
        // The poller has returned: however it waits next, it is not waiting now.
        queue.poll(Some(Duration::ZERO))?;
        for _ in 0..operations {
            waker.wake()?;
        }
        queue.poll(Some(Duration::ZERO))
    }))
}

fn wake_then_poll<Q: Queue + 'static>() -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let waker = queue.waker(WAKER)?;
    Ok(program((waker, queue), |(waker, queue), operations| {
        for _ in 0..operations {
            waker.wake()?;
            queue.poll(None)?;
        }
        Ok(())
    }))
}

/// A thread that ends when its owner is dropped.
struct Helper {
    stop: Arc<AtomicBool>,
    release: Box<dyn Fn()>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        (self.release)();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn wake_sleeping<Q: Queue + 'static>(processors: usize) -> io::Result<Program> {
    // This fails if there are not so many processors.
    drop(Pinned::to(processors - 1)?);
    let pinned = Pinned::to(0)?;
    let queue = Q::new(CAPACITY)?;
    let waker = queue.waker(WAKER)?;
    let turns = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let stop = Arc::new(AtomicBool::new(false));
    let released = Arc::new(Barrier::new(2));
    let (made, theirs) = std::sync::mpsc::channel();
    let thread = thread::spawn({
        let (turns, stop, released) = (Arc::clone(&turns), Arc::clone(&stop), Arc::clone(&released));
        move || {
            let _pinned = Pinned::to(processors - 1);
            let mut queue = Q::new(CAPACITY).expect("a second queue");
            made.send(queue.waker(WAKER).expect("a second waker")).expect("the starter waits");
            let mut turn = 0;
            loop {
                while turns[0].load(Ordering::Acquire) == turn && !stop.load(Ordering::Acquire) {
                    queue.poll(None).expect("the poll of the woken thread");
                }
                if stop.load(Ordering::Acquire) {
                    // The queue lives until the last wake has been made.
                    released.wait();
                    return;
                }
                turn += 1;
                turns[1].store(turn, Ordering::Release);
                waker.wake().expect("waking back");
            }
        }
    });
    let theirs = theirs.recv().map_err(io::Error::other)?;
    let release = Box::new({
        let theirs = Arc::clone(&theirs);
        move || {
            theirs.wake().expect("waking to end");
            released.wait();
        }
    });
    let helper = Helper { stop, release, threads: vec![thread] };
    Ok(program((helper, theirs, queue, pinned), move |(_helper, theirs, queue, _pinned), operations| {
        for _ in 0..operations.div_ceil(2) {
            let turn = turns[0].fetch_add(1, Ordering::Release) + 1;
            theirs.wake()?;
            while turns[1].load(Ordering::Acquire) != turn {
                queue.poll(None)?;
            }
        }
        Ok(())
    }))
}

fn wake_storm<Q: Queue + 'static>(threads: usize) -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let waker = queue.waker(WAKER)?;
    let stop = Arc::new(AtomicBool::new(false));
    let start = Arc::new(Barrier::new(threads + 1));
    let wanted = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let (waker, stop, start) = (Arc::clone(&waker), Arc::clone(&stop), Arc::clone(&start));
            let (wanted, done) = (Arc::clone(&wanted), Arc::clone(&done));
            thread::spawn(move || {
                loop {
                    start.wait();
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    for _ in 0..wanted.load(Ordering::Relaxed) {
                        done.fetch_add(1, Ordering::Relaxed);
                        waker.wake().expect("waking");
                    }
                }
            })
        })
        .collect();
    let count = threads.len() as u64;
    let release = Box::new({
        let start = Arc::clone(&start);
        move || {
            start.wait();
        }
    });
    let helper = Helper { stop, release, threads };
    Ok(program((helper, queue), move |(_helper, queue), operations| {
        let each = operations.div_ceil(count);
        done.store(0, Ordering::Relaxed);
        wanted.store(each, Ordering::Relaxed);
        start.wait();
        while done.load(Ordering::Relaxed) < each * count {
            queue.poll(None)?;
        }
        Ok(())
    }))
}

fn time_out<Q: Queue + 'static>(time: Duration) -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let source = EventFd::new()?;
    queue.register(source.as_raw_fd(), 0, Direction::Read)?;
    Ok(program((queue, source), move |(queue, _open), operations| {
        for _ in 0..operations {
            queue.poll(Some(time))?;
        }
        Ok(())
    }))
}

fn tcp_echo<Q: Sockets + 'static>(connections: usize) -> io::Result<Program> {
    let listener = Q::listen(ANY_PORT)?;
    let address = local_address(listener.as_raw_fd())?;
    let queue = Q::new(CAPACITY)?;
    // Clients are even, and servers odd.
    let mut streams = Vec::with_capacity(2 * connections);
    for token in (0..2 * connections).step_by(2) {
        streams.push(Q::connect(address)?);
        streams.push(until_ready(|| Q::accept(&listener))?);
        for token in [token, token + 1] {
            no_delay(streams[token].as_raw_fd())?;
            queue.register_stream(&mut streams[token], token, Direction::Read)?;
        }
    }
    Ok(program((queue, streams), move |(queue, streams), operations| {
        let mut message = [7; 64];
        let mut begun = operations.min(connections as u64);
        let mut ended = 0;
        for client in streams.iter_mut().step_by(2).take(begun as usize) {
            client.write_all(&message)?;
        }
        while ended < operations {
            queue.poll(None)?;
            for token in queue.tokens() {
                let stream = &mut streams[token];
                // The first poll may also report that a stream is writable, or report a stream without data.
                match stream.read(&mut message) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                }
                if token % 2 == 1 {
                    stream.write_all(&message)?;
                } else {
                    ended += 1;
                    if begun < operations {
                        begun += 1;
                        stream.write_all(&message)?;
                    }
                }
            }
        }
        Ok(())
    }))
}

fn udp_echo<Q: Sockets + 'static>() -> io::Result<Program> {
    let mut sockets = [Q::udp(ANY_PORT)?, Q::udp(ANY_PORT)?];
    let server = local_address(sockets[1].as_raw_fd())?;
    let queue = Q::new(CAPACITY)?;
    for (token, socket) in sockets.iter_mut().enumerate() {
        queue.register_udp(socket, token)?;
    }
    Ok(program((queue, sockets), move |(queue, sockets), operations| {
        let mut message = [7; 64];
        let mut ended = 0;
        Q::send_to(&sockets[0], &message, server)?;
        while ended < operations {
            queue.poll(None)?;
            for token in queue.tokens() {
                let (_, from) = match Q::recv_from(&sockets[token], &mut message) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    result => result?,
                };
                ended += u64::from(token == 0);
                if ended < operations {
                    Q::send_to(&sockets[token], &message, from)?;
                }
            }
        }
        Ok(())
    }))
}

fn connect_accept_close<Q: Sockets + 'static>() -> io::Result<Program> {
    const LISTENER: usize = 0;
    const CLIENT: usize = 1;
    const SERVER: usize = 2;

    let mut listener = Q::listen(ANY_PORT)?;
    let address = local_address(listener.as_raw_fd())?;
    let queue = Q::new(CAPACITY)?;
    queue.register_listener(&mut listener, LISTENER)?;
    Ok(program((queue, listener), move |(queue, listener), operations| {
        for _ in 0..operations {
            let mut client = Q::connect(address)?;
            queue.register_stream(&mut client, CLIENT, Direction::Write)?;
            let mut connected = false;
            let mut server = None;
            while !connected || server.is_none() {
                queue.poll(None)?;
                for token in queue.tokens() {
                    match token {
                        LISTENER => {
                            let mut accepted = Q::accept(listener)?;
                            queue.register_stream(&mut accepted, SERVER, Direction::Read)?;
                            server = Some(accepted);
                        }
                        CLIENT => connected = true,
                        _ => {}
                    }
                }
            }
            // The connection ends with a reset, so no port is kept waiting.
            reset_on_close(client.as_raw_fd())?;
            queue.closing(client.as_raw_fd())?;
            drop(client);
            if let Some(server) = server {
                queue.closing(server.as_raw_fd())?;
            }
        }
        Ok(())
    }))
}

/// Returns a program that runs once.
fn register<Q: Queue + 'static>(count: usize) -> io::Result<Program> {
    let sources = (0..count).map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
    let mut queue = Q::new(CAPACITY)?;
    queue.poll(Some(Duration::ZERO))?;
    Ok(program((queue, sources), |(queue, sources), _| {
        for (token, source) in sources.iter().enumerate() {
            queue.register(source.as_raw_fd(), token, Direction::Read)?;
        }
        queue.poll(Some(Duration::ZERO))
    }))
}

/// Returns a program in which each operation has a source of its own. There are always [`CHANGES`] sources, even if the program
/// uses fewer.
fn change<Q: Queue + 'static>(what: Change) -> io::Result<Program> {
    let sources = (0..CHANGES).map(|_| EventFd::new()).collect::<io::Result<Vec<_>>>()?;
    let queue = Q::new(CAPACITY)?;
    if what != Change::Register {
        for (token, source) in sources.iter().enumerate() {
            queue.register(source.as_raw_fd(), token, Direction::Read)?;
        }
    }
    Ok(program((queue, sources), move |(queue, sources), operations| {
        for (token, source) in sources.iter().enumerate().take(operations as usize) {
            let fd = source.as_raw_fd();
            match what {
                Change::Register => queue.register(fd, token, Direction::Read)?,
                Change::Reregister => queue.reregister(fd, token, Direction::Write)?,
                Change::Deregister => queue.deregister(fd)?,
            }
        }
        Ok(())
    }))
}

fn wake_exported<Q: Queue + 'static>() -> io::Result<Program> {
    let queue = Q::new(CAPACITY)?;
    let waker = queue.waker(WAKER)?;
    queue.export();
    Ok(program((waker, queue), |(waker, queue), operations| {
        for _ in 0..operations {
            waker.wake()?;
            queue.poll(None)?;
        }
        Ok(())
    }))
}

/// Returns a program with two ends, one of which belongs to the peer. That end reads or writes.
fn tcp_transfer<Q: Sockets + 'static>(reads: bool) -> io::Result<Program> {
    let listener = std::net::TcpListener::bind(ANY_PORT)?;
    let mut stream = Q::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    for fd in [stream.as_raw_fd(), other.as_raw_fd()] {
        no_delay(fd)?;
    }
    // `Q::connect` returns before the connection is there. From here on nothing blocks.
    other.write_all(&[7])?;
    until_ready(|| stream.read_exact(&mut [0]))?;
    let queue = Q::new(CAPACITY)?;
    queue.register_stream(&mut stream, 0, Direction::Read)?;
    Ok(program((queue, stream, other), move |(_queue, stream, other), operations| {
        let mut message = [7; 64];
        for _ in 0..operations {
            if reads {
                other.write_all(&message)?;
                stream.read_exact(&mut message)?;
            } else {
                stream.write_all(&message)?;
                other.read_exact(&mut message)?;
            }
        }
        Ok(())
    }))
}

/// Returns the address of a socket of any peer, in the same way for all.
fn local_address(fd: RawFd) -> io::Result<SocketAddr> {
    // SAFETY: the descriptor stays open during the call, which does not close it.
    let socket =
        std::mem::ManuallyDrop::new(unsafe { <std::net::UdpSocket as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    socket.local_addr()
}

fn no_delay(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, &1_i32)
}

fn reset_on_close(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })
}

fn set_option<T>(fd: RawFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads as many bytes as the value has.
    crate::queue::check(unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), length) })
        .map(drop)
}

fn until_ready<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            result => return result,
        }
    }
}
