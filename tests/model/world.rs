//! The model: what it knows of every source, and what follows for the events.

use std::collections::HashMap;
use std::env;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::{Events, Interest, Poll, Registry, Token, Trigger, Waker};

use crate::feed::{Feed, Numbered, OtherThread, OwnPoll};
use crate::pair::{Condition, Io, Kind, open};
use crate::program::{End, PAIRS, Step, is_priority};
use crate::queue::Queue;

/// Whether the driver of Windows' sockets fails now and then, on demand.
static FAULTS: LazyLock<bool> = LazyLock::new(|| env::var_os("MIO_FAIL_POLLS").is_some());

/// An event that has not come after this time never will.
const HANG: Duration = Duration::from_secs(5);

const WAKER: Token = Token(0);

/// Runs a program in one thread, which polls when the program says so.
pub(crate) fn run(program: &[Step]) {
    let poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let waker = Arc::new(Waker::new(&registry, WAKER).unwrap());
    World::new(OwnPoll { poll, number: 0 }, registry, waker, 0).run(program);
}

/// Runs each program in a thread of its own, all on one queue, which one more thread polls without end.
pub(crate) fn run_threads(programs: &[Vec<Step>], capacity: usize) {
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let waker = Arc::new(Waker::new(&registry, WAKER).unwrap());
    let number = Arc::new(AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let (senders, receivers): (Vec<_>, Vec<_>) = programs.iter().map(|_| mpsc::sync_channel::<Numbered>(64)).unzip();

    thread::scope(|scope| {
        let _stop = Stop { flag: &stop, waker: &waker };
        let threads = programs.iter().zip(receivers).enumerate().map(|(index, (program, events))| {
            let feed = OtherThread { events, number: Arc::clone(&number) };
            let mut world = World::new(feed, registry.try_clone().unwrap(), Arc::clone(&waker), index);
            scope.spawn(move || world.run(program))
        });
        let threads: Vec<_> = threads.collect();

        let (number, stop, senders) = (&number, &stop, &senders);
        scope.spawn(move || {
            let mut events = Events::with_capacity(capacity);
            while !stop.load(Ordering::SeqCst) {
                let this = number.fetch_add(1, Ordering::SeqCst) + 1;
                poll.poll(&mut events, None).unwrap();
                for event in &events {
                    // A wake concerns every model. A model that has ended hears no more.
                    let models =
                        if event.token() == WAKER { &senders[..] } else { &senders[owner(event.token())..][..1] };
                    models.iter().for_each(|model| drop(model.send((this, event.clone()))));
                }
            }
        });
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Ends the polling thread, even if a model fails.
struct Stop<'a> {
    flag: &'a AtomicBool,
    waker: &'a Waker,
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::SeqCst);
        self.waker.wake().unwrap();
    }
}

/// Returns all ends, beginning with this one.
fn ends_from(first: End) -> impl Iterator<Item = End> {
    (0..2 * PAIRS).map(move |n| End { pair: (first.pair + n / 2) % PAIRS, side: (first.side + n) % 2 })
}

/// Returns a token of the model `owner`, which has used `count` of them. The tokens are large numbers, up to the largest.
fn token(owner: usize, count: usize) -> Token {
    Token(usize::MAX - (count << 4) - owner)
}

/// Returns the index of the model that owns the token.
fn owner(token: Token) -> usize {
    (usize::MAX - token.0) & 0xf
}

/// An answer of the model.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    Maybe,
}

/// What the model knows of the data in transit from one end to the other.
#[derive(Debug, Default)]
struct Flow {
    /// This direction does not exist.
    absent: bool,
    /// Bytes, messages or connections that were written and not read.
    pending: usize,
    /// The number of writes that they came in.
    writes: usize,
    /// The last write found no room, and nothing has been read since.
    full: bool,
    /// The writer has shut down or is closed, so the reader finds an end.
    ended: bool,
    /// The reader is closed.
    broken: bool,
    /// There was an error, or something that systems disagree about.
    unsure: bool,
    /// There was urgent data. A read stops before it, although more follows.
    marked: bool,
}

impl Flow {
    fn intact(&self) -> bool {
        !(self.absent || self.ended || self.broken || self.unsure)
    }

    fn readable(&self) -> Known {
        match self {
            Flow { ended: true, absent: false, .. } => Known::Yes,
            Flow { absent: true, .. } | Flow { unsure: true, .. } => Known::Maybe,
            Flow { pending: 0, .. } => Known::No,
            _ => Known::Yes,
        }
    }

    /// Returns whether an event can report the end, because nothing that waits for room holds it up. Wine reports it only when
    /// what was sent before has been read.
    fn closed(&self, kind: Kind) -> bool {
        cfg!(unix) && self.ended && !self.absent && !self.unsure && (kind.is_immediate() || self.flows())
    }

    /// A few small writes need no window to open.
    fn flows(&self) -> bool {
        self.writes <= 4 && !self.full
    }

    fn writable(&self, kind: Kind) -> Known {
        #[cfg(unix)]
        if kind == Kind::Pipe && self.broken {
            return Known::Yes;
        }
        match self {
            _ if !self.intact() => Known::Maybe,
            Flow { pending: 0, .. } => Known::Yes,
            Flow { full: true, .. } if kind.is_immediate() => Known::No,
            // A few small writes fill nothing.
            Flow { full: false, writes: ..=4, .. } => Known::Yes,
            _ => Known::Maybe,
        }
    }
}

/// A registration.
#[derive(Debug)]
struct Registered {
    token: Token,
    interest: Interest,
    trigger: Trigger,
    /// If edge-triggered: the next readiness in this direction produces an event.
    read_armed: bool,
    write_armed: bool,
    /// The same for the end of the stream, an error and urgent data.
    end_armed: bool,
    error_armed: bool,
    urgent_armed: bool,
    /// If one-shot: it has fired. If level-triggered: it has fired in the current wait.
    fired: bool,
    /// Since the last event that said so, something has happened to the pair: for reading and for writing, which kqueue reports
    /// one by one.
    touched: [bool; 2],
}

impl Registered {
    fn new(token: Token, interest: Interest, trigger: Trigger) -> Registered {
        let armed = true;
        Registered {
            token,
            interest,
            trigger,
            read_armed: armed,
            write_armed: armed,
            end_armed: armed,
            error_armed: armed,
            urgent_armed: armed,
            fired: false,
            touched: [true; 2],
        }
    }
}

#[derive(Default)]
struct Side {
    io: Option<Io>,
    registered: Option<Registered>,
}

struct Pair {
    kind: Kind,
    sides: [Side; 2],
    /// What each side sends.
    flows: [Flow; 2],
}

impl Pair {
    fn open(kind: Kind) -> Pair {
        let sides = open(kind).map(|io| Side { io: Some(io), registered: None });
        let flows = [0, 1].map(|side| Flow { absent: !kind.writes(side), ..Flow::default() });
        Pair { kind, sides, flows }
    }

    fn touch(&mut self) {
        for registered in self.sides.iter_mut().filter_map(|side| side.registered.as_mut()) {
            registered.touched = [true; 2];
        }
    }

    /// Returns whether there must be an event for `side`.
    fn owes(&self, side: usize) -> bool {
        let Some(registered) = &self.sides[side].registered else { return false };
        let read = registered.interest.is_readable() && self.flows[1 - side].readable() == Known::Yes;
        let write = registered.interest.is_writable() && self.flows[side].writable(self.kind) == Known::Yes;
        let end = registered.interest.is_readable() && self.flows[1 - side].closed(self.kind);
        // Only the system knows whether an error has arrived, and where urgent data stands.
        let os = |condition| self.sides[side].io.as_ref().is_some_and(|io| io.has(condition));
        let error = self.kind == Kind::Udp && self.flows[side].broken && os(Condition::Error);
        let urgent = is_priority(registered.interest) && self.flows[1 - side].marked && os(Condition::Urgent);
        match registered.trigger {
            Trigger::Edge => {
                read && registered.read_armed
                    || write && registered.write_armed
                    || end && registered.end_armed
                    || error && registered.error_armed
                    || urgent && registered.urgent_armed
            }
            _ => !registered.fired && (read || write || error || urgent),
        }
    }
}

struct World<F> {
    feed: F,
    registry: Registry,
    waker: Arc<Waker>,
    wake_pending: bool,
    pairs: Vec<Option<Pair>>,
    /// Every token that was used, with the end that owns it, or with the number of the last poll that may have reported it.
    tokens: HashMap<Token, Result<End, u64>>,
    owner: usize,
    /// How many tokens this model has used.
    used: usize,
}

impl<F: Feed> World<F> {
    fn new(feed: F, registry: Registry, waker: Arc<Waker>, owner: usize) -> World<F> {
        let pairs = (0..PAIRS).map(|_| None).collect();
        World { feed, registry, waker, wake_pending: false, pairs, tokens: HashMap::new(), owner, used: 0 }
    }

    fn run(&mut self, program: &[Step]) {
        for step in program {
            self.step(step);
        }
        self.settle(4);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Open(pair, kind) => {
                self.close(End { pair, side: 0 });
                self.close(End { pair, side: 1 });
                self.pairs[pair] = Some(Pair::open(kind));
            }
            Step::Close(end) => self.close(end),
            Step::Register(end, interest, trigger) => self.register(end, interest, trigger),
            Step::Reregister(end, interest, trigger) => self.reregister(end, interest, trigger),
            Step::Deregister(end) => self.deregister(end),
            Step::Write(end, length) => drop(self.write(end, length)),
            Step::Fill(end) => while self.write(end, 4096) {},
            Step::Read(end, length) => drop(self.read(end, length)),
            Step::Drain(end) => while self.read(end, 64 * 1024) {},
            Step::Shutdown(end, how) => self.shutdown(end, how),
            // Few ends can send urgent data, so this takes the first that can, beginning with the given one.
            Step::Urgent(end) => {
                let _ = ends_from(end).any(|end| self.write_urgent(end));
            }
            Step::ReadUrgent(end, more) => {
                if let Some(end) = ends_from(end).find(|&end| self.read_urgent(end)).filter(|_| more) {
                    self.write_urgent(End { side: 1 - end.side, ..end });
                }
            }
            Step::Wake => {
                self.wake_pending = true;
                self.waker.wake().unwrap();
            }
            Step::Poll(capacity) => drop(self.poll(capacity, Duration::ZERO)),
            Step::Settle(capacity) => self.settle(capacity),
        }
    }

    fn close(&mut self, End { pair: index, side }: End) {
        let Some(pair) = &mut self.pairs[index] else { return };
        let Some(io) = pair.sides[side].io.take() else { return };
        drop(io);
        pair.touch();
        if pair.kind.is_stream() {
            pair.flows[side].ended = true;
        } else {
            pair.flows[side].unsure = true;
        }
        pair.flows[1 - side].broken = true;
        if let Some(registered) = pair.sides[side].registered.take() {
            self.give_up(registered.token);
        }
    }

    fn next_token(&mut self) -> Token {
        self.used += 1;
        token(self.owner, self.used - 1)
    }

    /// From now on, no new poll may report this token.
    fn give_up(&mut self, token: Token) {
        self.tokens.insert(token, Err(self.feed.last()));
    }

    fn register(&mut self, end: End, interest: Interest, trigger: Trigger) {
        let token = self.next_token();
        let result = self.with_source(end, |registry, source| registry.register_with(source, token, interest, trigger));
        let Some(result) = result else { return };
        let registration = self.registration(end);
        if registration.is_some() {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
        } else {
            result.unwrap();
            *registration = Some(Registered::new(token, interest, trigger));
            self.tokens.insert(token, Ok(end));
        }
    }

    fn reregister(&mut self, end: End, interest: Interest, trigger: Trigger) {
        let token = self.next_token();
        let result =
            self.with_source(end, |registry, source| registry.reregister_with(source, token, interest, trigger));
        let Some(result) = result else { return };
        let registration = self.registration(end);
        // A source from elsewhere may be registered, so kqueue accepts the change: adding a filter again changes it.
        if registration.is_none() && !(Queue::HERE.is_kqueue() && result.is_ok()) {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
            return;
        }
        result.unwrap();
        if let Some(old) = registration.replace(Registered::new(token, interest, trigger)) {
            self.give_up(old.token);
        }
        self.tokens.insert(token, Ok(end));
    }

    fn deregister(&mut self, end: End) {
        let Some(result) = self.with_source(end, |registry, source| registry.deregister(source)) else { return };
        let has_ended = self.pairs[end.pair].iter().flat_map(|pair| &pair.flows).any(|flow| !flow.intact());
        match self.registration(end).take() {
            // A source from elsewhere may have been registered until the kernel ended that, so kqueue accepts the call.
            None if Queue::HERE.is_kqueue() && has_ended && result.is_ok() => {}
            None => assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound),
            Some(registered) => {
                result.unwrap();
                self.give_up(registered.token);
            }
        }
    }

    /// Writes once. Returns whether there may be room for more.
    fn write(&mut self, end: End, length: usize) -> bool {
        let Some((pair, mut io)) = self.take(end) else { return false };
        let flow = &mut pair.flows[end.side];
        let mut more = false;
        if !flow.absent && flow.pending < pair.kind.limit() {
            let result = io.write(&vec![7; length]);
            let (mut arm, mut failed) = (false, false);
            match result {
                Ok(count) => {
                    flow.pending += if pair.kind.is_stream() { count } else { 1 };
                    flow.writes += 1;
                    more = !flow.broken;
                    // A stream that takes less than it is given is full.
                    flow.full = pair.kind.is_stream() && count < length;
                    arm = flow.full;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(flow.writable(pair.kind) != Known::Yes || flow.pending > 0, "no room, and nothing written");
                    flow.full = true;
                    arm = true;
                }
                Err(error) => {
                    assert!(!flow.intact(), "{error}");
                    failed = true;
                    pair.flows.iter_mut().for_each(|flow| flow.unsure = true);
                }
            }
            pair.touch();
            if let Some(registered) = &mut pair.sides[end.side].registered {
                registered.write_armed |= arm;
                registered.error_armed |= failed;
            }
        }
        pair.sides[end.side].io = Some(io);
        more
    }

    /// Reads once. Returns whether there may be more.
    fn read(&mut self, end: End, length: usize) -> bool {
        let what = self.describe(end);
        let Some((pair, mut io)) = self.take(end) else { return false };
        let flow = &mut pair.flows[1 - end.side];
        let mut more = false;
        if !flow.absent {
            let (mut arm, mut failed) = (false, false);
            // On some systems, a message that does not fit is an error.
            let length = if pair.kind.is_stream() { length } else { length.max(4096) };
            match io.read(&mut vec![0; length]) {
                Ok(0) if pair.kind.is_stream() => assert!(!flow.intact(), "the stream has not ended"),
                Ok(count) => {
                    let count = if pair.kind.is_stream() { count } else { 1 };
                    assert!(count <= flow.pending, "read more than was written");
                    flow.pending -= count;
                    flow.writes = if flow.pending == 0 { 0 } else { flow.writes };
                    flow.full = false;
                    more = true;
                    // A stream that returns less than was asked for is empty, unless its end or urgent data comes next.
                    arm = pair.kind.is_stream() && count < length && flow.intact() && !flow.marked;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // While a `poll(2)` in another thread is returning, it keeps open what it watches.
                    let end_is_there = F::EXACT && flow.readable() == Known::Yes;
                    let must_be_there = pair.kind.is_immediate() && (flow.pending > 0 && flow.intact() || end_is_there);
                    assert!(!must_be_there, "something to read is not there: {what}");
                    arm = true;
                }
                Err(error) => {
                    assert!(pair.flows.iter().any(|flow| !flow.intact()), "{error}");
                    failed = true;
                    pair.flows.iter_mut().for_each(|flow| flow.unsure = true);
                }
            }
            pair.touch();
            if let Some(registered) = &mut pair.sides[end.side].registered {
                registered.read_armed |= arm;
                registered.error_armed |= failed;
            }
        }
        pair.sides[end.side].io = Some(io);
        more
    }

    /// Sends a byte of urgent data, if everything before it has been read. (A second byte would turn the first into plain
    /// data.) Waits until it has arrived. Returns whether it was sent.
    fn write_urgent(&mut self, End { pair, side }: End) -> bool {
        let Some(pair) = self.pairs[pair].as_mut().filter(|pair| pair.kind == Kind::Tcp) else { return false };
        let [Some(from), Some(to)] = [side, 1 - side].map(|side| pair.sides[side].io.as_ref()) else { return false };
        if !pair.flows.iter().all(Flow::intact)
            || pair.flows[side].pending > 0
            || to.has(Condition::Urgent)
            || !from.write_urgent()
        {
            return false;
        }
        let deadline = Instant::now() + HANG;
        while !to.has(Condition::Urgent) {
            assert!(Instant::now() < deadline, "urgent data does not arrive");
        }
        pair.flows[side].marked = true;
        pair.touch();
        true
    }

    /// Returns whether there was any.
    fn read_urgent(&mut self, End { pair, side }: End) -> bool {
        let Some(pair) = &mut self.pairs[pair] else { return false };
        let Side { io: Some(io), registered } = &mut pair.sides[side] else { return false };
        let done = io.read_urgent();
        registered.iter_mut().for_each(|registered| registered.urgent_armed |= done);
        done
    }

    fn shutdown(&mut self, End { pair, side }: End, how: Shutdown) {
        let Some(pair) = &mut self.pairs[pair] else { return };
        let Some(io) = &pair.sides[side].io else { return };
        let done = io.shutdown(how).is_ok();
        if !pair.kind.is_stream() {
            return;
        }
        if how != Shutdown::Read {
            pair.flows[side].ended |= done;
            pair.flows[side].unsure |= !done;
        }
        // It depends on the system whether reading ends, and whether the peer hears of it.
        pair.flows[1 - side].unsure |= how != Shutdown::Write;
        pair.touch();
    }

    /// Polls until everything that must come has come, and then until nothing does.
    fn settle(&mut self, capacity: usize) {
        let deadline = Instant::now() + HANG;
        for registered in self.registered().filter(|registered| registered.trigger == Trigger::Level) {
            registered.fired = false;
        }
        while let Some(what) = self.owed() {
            assert!(Instant::now() < deadline, "an event that must come does not: {what}");
            self.poll(capacity, Duration::from_millis(100));
        }
        // Level-triggered registrations are never silent.
        let mut silent = 0;
        while silent < 3 {
            assert!(Instant::now() < deadline, "events keep coming, although nothing happens");
            silent = if self.poll(capacity, Duration::ZERO) { 0 } else { silent + 1 };
        }
    }

    fn registered(&mut self) -> impl Iterator<Item = &mut Registered> {
        self.pairs.iter_mut().flatten().flat_map(|pair| &mut pair.sides).filter_map(|side| side.registered.as_mut())
    }

    /// Describes something that must come.
    fn owed(&self) -> Option<String> {
        if self.wake_pending {
            return Some("a wake".into());
        }
        let ends = (0..PAIRS).flat_map(|pair| [0, 1].map(|side| End { pair, side }));
        ends.filter(|end| self.pairs[end.pair].as_ref().is_some_and(|pair| pair.owes(end.side)))
            .map(|end| self.describe(end))
            .next()
    }

    fn describe(&self, end: End) -> String {
        let Some(pair) = &self.pairs[end.pair] else { return "closed".into() };
        format!("{end:?} of {:?}, {:?}, {:?}", pair.kind, pair.sides[end.side].registered, pair.flows)
    }

    /// Polls once. Returns whether there was an event that is not level-triggered.
    fn poll(&mut self, capacity: usize, timeout: Duration) -> bool {
        let mut any = false;
        for (number, event) in self.feed.next(capacity, timeout) {
            any |= self.check(number, &event);
        }
        any
    }

    /// Checks an event of poll `number`. Returns whether it is not level-triggered.
    fn check(&mut self, number: u64, event: &Event) -> bool {
        let token = event.token();
        if token == WAKER {
            assert!(event.is_readable() && !event.is_writable(), "{event:?}");
            assert!(self.wake_pending || !F::EXACT, "an event of the waker without a wake");
            self.wake_pending = false;
            return true;
        }
        let end = match self.tokens.get(&token) {
            Some(Ok(end)) => *end,
            Some(Err(last)) => {
                assert!(
                    number <= *last,
                    "poll {number} reported a token that was given up before poll {}: {event:?}",
                    last + 1
                );
                return true;
            }
            None => panic!("an unknown token: {event:?}"),
        };
        let what = self.describe(end);
        let pair = self.pairs[end.pair].as_mut().expect("a live token belongs to an open pair");
        let [incoming, outgoing] = [&pair.flows[1 - end.side], &pair.flows[end.side]];
        let registered = pair.sides[end.side].registered.as_mut().expect("a live token belongs to a registration");

        // A queue reports an error if it cannot watch a source, as happens when failures are requested.
        if *FAULTS && event.is_error() && incoming.intact() && outgoing.intact() {
            registered.touched = [false; 2];
            registered.fired = true;
            registered.read_armed &= !event.is_readable();
            registered.write_armed &= !event.is_writable();
            return registered.trigger != Trigger::Level;
        }

        let closed = event.is_read_closed() || event.is_write_closed() || event.is_error();
        // The end of a connection is reported without being asked for, and some queues (AFD) then say that both directions are
        // ready.
        assert!(
            !event.is_writable() || registered.interest.is_writable() || event.is_write_closed(),
            "writable, but not asked for: {event:?}, {what}"
        );
        assert!(
            !event.is_readable() || registered.interest.is_readable() || event.is_priority() || closed,
            "readable, but not asked for: {event:?}, {what}"
        );
        assert!(!(event.is_aio() || event.is_lio()), "{event:?}, {what}");
        assert!(
            !event.is_priority() || is_priority(registered.interest) && incoming.marked,
            "priority, but not urgent or not asked for: {event:?}, {what}"
        );
        assert!(!event.is_read_closed() || !incoming.intact(), "not closed for reading: {event:?}, {what}");
        assert!(!event.is_write_closed() || !outgoing.intact(), "not closed for writing: {event:?}, {what}");
        assert!(!event.is_error() || !incoming.intact() || !outgoing.intact(), "no error: {event:?}, {what}");
        assert!(registered.trigger != Trigger::OneShot || !registered.fired, "one-shot fired again: {event:?}, {what}");
        let told = if !Queue::HERE.is_kqueue() {
            [true; 2]
        } else if event.is_write_closed() {
            // Each of the filters may report the end alone, for both directions.
            let [reading, writing] = registered.touched;
            let by_read = if event.is_readable() { reading } else { !writing };
            [by_read, !by_read]
        } else {
            [event.is_readable(), event.is_writable()]
        };
        if F::EXACT {
            let readable = event.is_readable() && !event.is_priority();
            assert!(!readable || incoming.readable() != Known::No, "not readable: {event:?}, {what}");
            assert!(
                !event.is_writable() || outgoing.writable(pair.kind) != Known::No,
                "not writable: {event:?}, {what}"
            );
            let no_cause = told.iter().zip(registered.touched).any(|(&told, touched)| told && !touched);
            let idle = registered.trigger != Trigger::Level && pair.kind.is_immediate() && no_cause;
            assert!(!idle, "an edge without a cause: {event:?}, {what}");
            // Where readiness is emulated, a direction is silent until its own I/O has used it up.
            if registered.trigger == Trigger::Edge && Queue::HERE.is_emulated() && !closed {
                let known = incoming.intact() && !incoming.marked;
                assert!(!readable || registered.read_armed || !known, "readable again: {event:?}, {what}");
                assert!(!event.is_writable() || registered.write_armed, "writable again: {event:?}, {what}");
            }
        }

        registered.touched = [0, 1].map(|direction| registered.touched[direction] && !told[direction]);
        registered.fired = true;
        // Urgent data alone is readable as well. The model does not know whether it is alone.
        registered.read_armed &= !(event.is_readable() || event.is_read_closed());
        registered.write_armed &= !(event.is_writable() || event.is_write_closed());
        registered.end_armed &= !event.is_read_closed();
        // On an error, kqueue says that something is ready.
        registered.error_armed &= !(event.is_error() || Queue::HERE.is_kqueue());
        registered.urgent_armed &= !event.is_priority();
        registered.trigger != Trigger::Level
    }

    /// Does something with an open end that is a source.
    fn with_source<R>(&mut self, end: End, act: impl FnOnce(&Registry, &mut dyn Source) -> R) -> Option<R> {
        let source = self.pairs[end.pair].as_mut()?.sides[end.side].io.as_mut()?.source()?;
        Some(act(&self.registry, source))
    }

    /// Returns the registration of an end whose pair is open.
    fn registration(&mut self, end: End) -> &mut Option<Registered> {
        &mut self.pairs[end.pair].as_mut().expect("opened").sides[end.side].registered
    }

    /// Takes the I/O out of an open end. The caller puts it back.
    fn take(&mut self, end: End) -> Option<(&mut Pair, Io)> {
        let pair = self.pairs[end.pair].as_mut()?;
        let io = pair.sides[end.side].io.take()?;
        Some((pair, io))
    }
}
