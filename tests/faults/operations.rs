//! The victim makes every kind of call of the library, and records the errors.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use mio::unix::{SourceFd, pipe};
use mio::{Events, Interest, Poll, Registry, Token, Trigger, Waker};

use super::stage::{Scene, Stage};

const WAKER: Token = Token(usize::MAX);
const READ_WRITE: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The names of errors that the test uses.
const NAMES: [(i32, &str); 9] = [
    (libc::EINTR, "EINTR"),
    (libc::EMFILE, "EMFILE"),
    (libc::ENFILE, "ENFILE"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::ENOBUFS, "ENOBUFS"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOSYS, "ENOSYS"),
    (libc::EPERM, "EPERM"),
    (libc::ECONNABORTED, "ECONNABORTED"),
];

/// Plays the victim's part until the test of this process ends.
pub(crate) fn play(stage: &Stage, rounds: usize) {
    let mut survivor = Survivor::new();
    let before = open_descriptors();
    // SAFETY: the call takes no pointer. It lets the test, which is no ancestor of this process, trace it where that is
    // restricted.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };

    stage.set(Scene::Ready);
    wait_for(stage, Scene::Fault);
    let told = Told::default();
    for _ in 0..rounds {
        all(&told);
        told.hear("survivor", survivor.use_it(&told));
    }
    stage.set(Scene::Over);
    wait_for(stage, Scene::Aftermath);

    for (operation, error) in told.0.borrow().iter() {
        let name = NAMES.iter().find(|(code, _)| error.raw_os_error() == Some(*code));
        let name = name.map_or_else(|| error.to_string(), |(_, name)| (*name).to_owned());
        println!("{operation} told {name}");
    }
    assert_eq!(open_descriptors(), before, "descriptors leaked");

    // Everything must work again, now that nothing fails.
    let told = Told::default();
    told.hear("survivor", survivor.use_it(&told));
    all(&told);
    let told: Vec<_> =
        told.0.into_inner().into_iter().filter(|(_, error)| error.kind() != ErrorKind::WouldBlock).collect();
    assert!(told.is_empty(), "errors after the fault: {told:?}");
    assert_eq!(open_descriptors(), before, "descriptors leaked after the fault");
    stage.set(Scene::End);
}

fn wait_for(stage: &Stage, scene: Scene) {
    while stage.scene() < scene {
        thread::sleep(Duration::from_millis(1));
    }
}

fn open_descriptors() -> Vec<i32> {
    // SAFETY: the call takes no pointer.
    (0..1024).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1).collect()
}

/// The errors that the library has returned, each with the operation that it came from.
#[derive(Default)]
struct Told(RefCell<Vec<(&'static str, io::Error)>>);

impl Told {
    /// Records an error.
    fn hear<T>(&self, operation: &'static str, result: io::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.borrow_mut().push((operation, error))).ok()
    }
}

/// Does one round of all operations, even if some of them fail.
fn all(told: &Told) {
    // These two come first, so that the first call that fails is one that tells the OS about a queued wake, or tells a sleeping
    // poller about a change.
    told.hear("descriptor", descriptor(told));
    told.hear("change during a wait", change_during_a_wait(told));
    told.hear("queue", queue());
    told.hear("tcp", tcp(told));
    told.hear("udp", udp(told));
    told.hear("unix stream", unix_stream(told));
    told.hear("unix datagram", unix_datagram(told));
    told.hear("pipe", pipes(told));
    told.hear("waker", waker(told));
}

fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Polls until there is an event of `token`, however often the poll fails. If none comes, it was lost.
#[track_caller]
fn expect_event(told: &Told, poll: &mut Poll, token: Token) {
    let mut events = Events::with_capacity(16);
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        told.hear("poll", poll.poll(&mut events, Some(Duration::from_millis(100))));
        if events.iter().any(|event| event.token() == token) {
            return;
        }
    }
    panic!("the event of {token:?} was lost");
}

/// Uses a queue, its time-outs, and everything that works without a source.
fn queue() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4);
    let clone = poll.registry().try_clone()?;
    let result = poll.poll(&mut events, Some(Duration::ZERO));
    let slept = poll.poll(&mut events, Some(Duration::from_micros(100)));
    let deadline = poll.poll_deadline(&mut events, Some(Instant::now() + Duration::from_micros(100)));
    drop(clone);
    result.and(slept).and(deadline)
}

/// Registers a source in each way. At the end, the registration with `token` remains, and it is edge-triggered.
fn register(registry: &Registry, source: &mut impl Source, token: Token) -> io::Result<()> {
    registry.register(source, token, Interest::READABLE)?;
    registry.reregister_with(source, token, READ_WRITE, Trigger::Level)?;
    registry.reregister_with(source, token, READ_WRITE, Trigger::OneShot)?;
    registry.deregister(source)?;
    registry.register(source, token, READ_WRITE)
}

fn tcp(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(localhost())?;
    register(poll.registry(), &mut listener, Token(0))?;
    listener.set_ttl(64)?;
    listener.ttl()?;
    listener.take_error()?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    register(poll.registry(), &mut client, Token(1))?;
    expect_event(told, &mut poll, Token(0));
    let (mut server, _) = listener.accept()?;
    register(poll.registry(), &mut server, Token(2))?;
    client.peer_addr()?;
    client.set_nodelay(true)?;
    client.nodelay()?;
    client.set_ttl(64)?;
    client.ttl()?;
    client.take_error()?;
    stream(&mut client, &mut server)?;
    client.peek(&mut [0; 16])?;
    client.shutdown(Shutdown::Both)?;
    expect_event(told, &mut poll, Token(2));
    poll.registry().deregister(&mut server)
}

/// Sends bytes in both directions, in each way.
fn stream<S: Read + Write>(one: &mut S, other: &mut S) -> io::Result<()> {
    let mut count = one.write(b"there")?;
    count -= other.read(&mut [0; 16])?;
    count += one.write_vectored(&[IoSlice::new(b"and"), IoSlice::new(b"there")])?;
    count -= other.read_vectored(&mut [IoSliceMut::new(&mut [0; 4]), IoSliceMut::new(&mut [0; 4])])?;
    assert_eq!(count, 0);
    other.write_all(b"back")
}

fn udp(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let (one, mut other) = (UdpSocket::bind(localhost())?, UdpSocket::bind(localhost())?);
    register(poll.registry(), &mut other, Token(0))?;
    one.send_to(b"to", other.local_addr()?)?;
    expect_event(told, &mut poll, Token(0));
    other.peek_from(&mut [0; 16])?;
    other.recv_from(&mut [0; 16])?;
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    one.peer_addr()?;
    one.send(b"on")?;
    other.peek(&mut [0; 16])?;
    other.recv(&mut [0; 16])?;
    one.set_broadcast(true)?;
    one.broadcast()?;
    one.set_multicast_loop_v4(true)?;
    one.multicast_loop_v4()?;
    one.set_multicast_ttl_v4(1)?;
    one.multicast_ttl_v4()?;
    one.set_ttl(64)?;
    one.ttl()?;
    one.take_error()?;
    poll.registry().deregister(&mut other)
}

/// Returns a Unix address that nobody has used.
fn name() -> UnixAddr {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("mio-faults-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    UnixAddr::from_abstract_name(name).unwrap()
}

fn unix_stream(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let address = name();
    let mut listener = UnixListener::bind_addr(&address)?;
    register(poll.registry(), &mut listener, Token(0))?;
    listener.local_addr()?;
    listener.take_error()?;
    let mut client = UnixStream::connect_addr(&address)?;
    expect_event(told, &mut poll, Token(0));
    let (mut server, _) = listener.accept()?;
    register(poll.registry(), &mut server, Token(1))?;
    client.peer_addr()?;
    client.local_addr()?;
    client.take_error()?;
    stream(&mut client, &mut server)?;
    client.shutdown(Shutdown::Write)?;
    expect_event(told, &mut poll, Token(1));
    let (mut one, mut other) = UnixStream::pair()?;
    stream(&mut one, &mut other)
}

fn unix_datagram(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let address = name();
    let mut receiver = UnixDatagram::bind_addr(&address)?;
    register(poll.registry(), &mut receiver, Token(0))?;
    let sender = std::os::unix::net::UnixDatagram::from(OwnedFd::from(UnixDatagram::unbound()?));
    sender.connect_addr(&address)?;
    let sender = UnixDatagram::from_std(sender);
    sender.send(b"on")?;
    expect_event(told, &mut poll, Token(0));
    receiver.recv_from(&mut [0; 16])?;
    receiver.local_addr()?;
    sender.peer_addr()?;
    sender.take_error()?;
    let (one, other) = UnixDatagram::pair()?;
    one.send(b"on")?;
    other.recv(&mut [0; 16])?;
    Ok(())
}

fn pipes(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let (mut sender, mut receiver) = pipe::new()?;
    register(poll.registry(), &mut receiver, Token(0))?;
    sender.write_all(b"through")?;
    expect_event(told, &mut poll, Token(0));
    assert_eq!(receiver.read(&mut [0; 16])?, b"through".len());
    receiver.set_nonblocking(false)?;
    receiver.set_nonblocking(true)?;
    poll.registry().deregister(&mut receiver)?;
    let fd = receiver.as_raw_fd();
    register(poll.registry(), &mut SourceFd(&fd), Token(1))?;
    sender.write_all(b"through")?;
    expect_event(told, &mut poll, Token(1));
    poll.registry().deregister(&mut SourceFd(&fd))
}

/// Wakes once before the poll, and then, as often as necessary, while it sleeps.
fn waker(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    if told.hear("wake", waker.wake()).is_some() {
        expect_event(told, &mut poll, WAKER);
    }
    let done = Arc::new(AtomicBool::new(false));
    let thread = thread::spawn({
        let (waker, done) = (Arc::clone(&waker), Arc::clone(&done));
        move || {
            // Once a wake succeeds, the poll must end.
            while !done.load(Ordering::SeqCst) && waker.wake().is_err() {}
        }
    });
    let mut events = Events::with_capacity(4);
    while events.is_empty() {
        told.hear("sleep", poll.poll(&mut events, None));
    }
    done.store(true, Ordering::SeqCst);
    thread.join().unwrap();
    drop(waker);
    Waker::new(poll.registry(), WAKER)?.wake()
}

/// Tries four wakes: one is queued without the OS, before the descriptor is taken out; two are of the kind that the OS must
/// hear of; and after the last one its waker is dropped, whether or not another one can be made.
#[cfg(not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)))]
fn descriptor(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    poll.poll(&mut Events::with_capacity(4), Some(Duration::ZERO))?;
    waker.wake().expect("nobody sleeps, so no call is made");
    poll.as_raw_fd();
    expect_event(told, &mut poll, WAKER);
    for _ in 0..2 {
        while told.hear("wake", waker.wake()).is_none() {}
        expect_event(told, &mut poll, WAKER);
    }
    while told.hear("wake", waker.wake()).is_none() {}
    drop(waker);
    let next = told.hear("waker", Waker::new(poll.registry(), Token(5)));
    expect_event(told, &mut poll, if next.is_some() { Token(5) } else { WAKER });
    Ok(())
}

/// This queue has no descriptor.
#[cfg(any(mio_backend = "poll", mio_unsupported_force_poll_poll))]
fn descriptor(_told: &Told) -> io::Result<()> {
    Ok(())
}

/// Registers and deregisters while another thread sleeps in the poll. A call that fails must have done nothing.
fn change_during_a_wait(told: &Told) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let waker = Waker::new(&registry, WAKER)?;
    let (mut one, mut other) = UnixStream::pair()?;
    let thread = thread::spawn(move || {
        let mut events = Events::with_capacity(4);
        loop {
            let _ = poll.poll(&mut events, None);
            if events.iter().any(|event| event.token() == WAKER) {
                return poll;
            }
        }
    });
    // After this time the other thread probably sleeps. The test also passes if it does not.
    thread::sleep(Duration::from_millis(2));
    for token in 0..3 {
        while let Err(error) = registry.register(&mut one, Token(token), Interest::READABLE) {
            assert_ne!(error.kind(), ErrorKind::AlreadyExists, "what failed to register is registered");
            told.hear("register", io::Result::<()>::Err(error));
        }
        while let Err(error) = registry.deregister(&mut one) {
            assert_ne!(error.kind(), ErrorKind::NotFound, "what failed to deregister is not registered");
            told.hear("deregister", io::Result::<()>::Err(error));
        }
    }
    while told.hear("wake", waker.wake()).is_none() {}
    let mut poll = thread.join().unwrap();
    registry.register(&mut one, Token(3), Interest::READABLE)?;
    other.write_all(b"there")?;
    expect_event(told, &mut poll, Token(3));
    Ok(())
}

/// A queue that survives the fault, and keeps working.
struct Survivor {
    poll: Poll,
    waker: Waker,
    one: UnixStream,
    other: UnixStream,
}

impl Survivor {
    fn new() -> Survivor {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), WAKER).unwrap();
        let (mut one, other) = UnixStream::pair().unwrap();
        poll.registry().register(&mut one, Token(0), Interest::READABLE).unwrap();
        // Once the descriptor has been taken out, every wake reaches the OS.
        #[cfg(not(any(mio_backend = "poll", mio_unsupported_force_poll_poll)))]
        let _ = std::os::fd::AsFd::as_fd(&poll);
        Survivor { poll, waker, one, other }
    }

    /// Wakes and sends data at the same time. A poll that fails must lose neither.
    fn use_it(&mut self, told: &Told) -> io::Result<()> {
        self.drain(told);
        let sent = told.hear("write", self.other.write(b"there")).is_some();
        let woken = told.hear("wake", self.waker.wake()).is_some();
        if sent {
            expect_event(told, &mut self.poll, Token(0));
        }
        if woken {
            self.waker.wake()?;
            expect_event(told, &mut self.poll, WAKER);
        }
        Ok(())
    }

    /// Reads until `WouldBlock` has come twice, because the fault may cause the first one.
    fn drain(&mut self, told: &Told) {
        let mut empty = 0;
        while empty < 2 {
            match self.one.read(&mut [0; 16]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => empty += 1,
                result => {
                    told.hear("read", result);
                    empty = 0;
                }
            }
        }
    }
}
