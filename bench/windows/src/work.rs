//! The programs, each written once for any peer, and the code that runs them in turn.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::peers::ours::Ours;
use crate::peers::polling::Polling;
use crate::peers::released::Released;
use crate::peers::{Pipes, Queue};

const LISTENER: usize = 1 << 20;

/// Does so many operations.
type Program = Box<dyn FnMut(usize) -> io::Result<()>>;
/// Sets up a program.
type Start = fn() -> io::Result<Program>;

struct Row {
    title: &'static str,
    operations: usize,
    /// The starts for this crate, mio 1.2.5 and polling.
    start: [Option<Start>; 3],
}

fn rows() -> Vec<Row> {
    let row = |title, operations, start: [Start; 3]| Row { title, operations, start: start.map(Some) };
    vec![
        row("TCP echo, 64 connections", 128, [tcp_echo::<Ours>, tcp_echo::<Released>, tcp_echo::<Polling>]),
        Row {
            title: "TCP echo, 64 connections, this crate without the second read",
            operations: 128,
            start: [Some(tcp_echo_of_short_reads), Some(tcp_echo::<Released>), None],
        },
        row("UDP echo", 64, [udp_echo::<Ours>, udp_echo::<Released>, udp_echo::<Polling>]),
        row("connect + accept + register + close", 16, [connect::<Ours>, connect::<Released>, connect::<Polling>]),
        row("register + reregister + deregister", 64, [churn::<Ours>, churn::<Released>, churn::<Polling>]),
        row("the same, each with a poll", 64, [polled::<Ours>, polled::<Released>, polled::<Polling>]),
        row("idle poll", 256, [idle::<Ours>, idle::<Released>, idle::<Polling>]),
        row("wake then poll", 256, [wake::<Ours>, wake::<Released>, wake::<Polling>]),
        Row {
            title: "ping-pong over a named pipe",
            operations: 64,
            start: [Some(pipes::<Ours>), Some(pipes::<Released>), None],
        },
    ]
}

pub fn measure(quick: bool, title: &str) -> io::Result<()> {
    let rounds = if quick { 3 } else { 200 };
    println!("| one operation of | this crate | mio 1.2.5 | polling 3.11 | to mio 1.2.5 | to polling |");
    println!("|---|--:|--:|--:|--:|--:|");
    for row in rows().into_iter().filter(|row| row.title.contains(title)) {
        let mut programs = Vec::new();
        for start in row.start {
            let mut program = start.map(|start| start()).transpose()?;
            if let Some(program) = &mut program {
                program(row.operations)?;
            }
            programs.push((program, Vec::new()));
        }
        for round in 0..rounds {
            for turn in 0..programs.len() {
                // Each program is first in turn.
                let index = (turn + round) % programs.len();
                let (Some(program), times) = &mut programs[index] else { continue };
                let start = Instant::now();
                program(row.operations)?;
                times.push(start.elapsed().as_secs_f64() * 1e6 / row.operations as f64);
            }
        }
        let times: Vec<_> = programs.into_iter().map(|(_, times)| times).collect();
        let median = |times: &[f64]| match times {
            [] => "–".to_owned(),
            times => format!("{:.1} µs", quartiles(times.to_vec())[1]),
        };
        let ratio = |others: &[f64]| match others {
            [] => "–".to_owned(),
            others => {
                let [low, middle, high] = quartiles(times[0].iter().zip(others).map(|(a, b)| a / b).collect());
                format!("{middle:.2} ({low:.2}–{high:.2})")
            }
        };
        let [ours, mio, polling] = [median(&times[0]), median(&times[1]), median(&times[2])];
        println!("| {} | {ours} | {mio} | {polling} | {} | {} |", row.title, ratio(&times[1]), ratio(&times[2]));
    }
    Ok(())
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|part| values[(values.len() - 1) * part / 4])
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Returns `None` instead of `WouldBlock`.
fn now<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Polls until `try_it` returns something.
fn wait<Q: Queue, T>(queue: &mut Q, mut try_it: impl FnMut(&Q) -> io::Result<Option<T>>) -> io::Result<T> {
    loop {
        if let Some(done) = try_it(queue)? {
            return Ok(done);
        }
        queue.poll(None)?;
    }
}

fn tcp_echo<Q: Queue + 'static>() -> io::Result<Program> {
    echo::<Q>(true)
}

fn tcp_echo_of_short_reads() -> io::Result<Program> {
    echo::<Ours>(false)
}

fn echo<Q: Queue + 'static>(until_would_block: bool) -> io::Result<Program> {
    const CONNECTIONS: usize = 64;
    let mut queue = Q::new()?;
    let (listener, address) = queue.listen(any_port(), LISTENER)?;
    // Clients are even, and servers odd.
    let mut streams = Vec::new();
    for token in (0..2 * CONNECTIONS).step_by(2) {
        streams.push(queue.connect(address)?);
        streams.push(wait(&mut queue, |queue| now(queue.accept(&listener, LISTENER)))?);
        for token in [token, token + 1] {
            queue.register(&mut streams[token], token, false)?;
        }
    }
    Ok(Box::new(move |operations| {
        let _open = &listener;
        let mut message = [7; 64];
        let mut room = [0; 128];
        let (mut begun, mut ended) = (CONNECTIONS, 0);
        for client in streams.iter_mut().step_by(2) {
            client.write_all(&message)?;
        }
        while ended < operations {
            queue.poll(None)?;
            for token in queue.tokens() {
                let Some(stream) = streams.get_mut(token) else { continue };
                while let Some(count) = now(stream.read(&mut room))? {
                    message.copy_from_slice(&room[..count]);
                    if token % 2 == 1 {
                        stream.write_all(&message)?;
                    } else {
                        ended += 1;
                        if begun < operations {
                            begun += 1;
                            stream.write_all(&message)?;
                        }
                    }
                    if !until_would_block {
                        break;
                    }
                }
                queue.rearm_stream(stream, token)?;
            }
        }
        Ok(())
    }))
}

fn udp_echo<Q: Queue + 'static>() -> io::Result<Program> {
    let mut queue = Q::new()?;
    let sockets = [queue.udp(0)?, queue.udp(1)?];
    Ok(Box::new(move |operations| {
        let mut message = [7; 64];
        let mut ended = 0;
        queue.send_to(&sockets[0].0, &message, sockets[1].1)?;
        while ended < operations {
            queue.poll(None)?;
            for token in queue.tokens() {
                let socket = &sockets[token].0;
                while let Some((_, from)) = now(queue.recv_from(socket, &mut message))? {
                    ended += usize::from(token == 0);
                    if ended < operations {
                        queue.send_to(socket, &message, from)?;
                    }
                }
                queue.rearm_udp(socket, token)?;
            }
        }
        Ok(())
    }))
}

fn connect<Q: Queue + 'static>() -> io::Result<Program> {
    const CLIENT: usize = 1;
    const SERVER: usize = 2;

    let mut queue = Q::new()?;
    let (listener, address) = queue.listen(any_port(), LISTENER)?;
    Ok(Box::new(move |operations| {
        for _ in 0..operations {
            let mut client = queue.connect(address)?;
            queue.register(&mut client, CLIENT, true)?;
            let mut connected = false;
            let mut server = None;
            while !connected || server.is_none() {
                queue.poll(None)?;
                for token in queue.tokens() {
                    connected |= token == CLIENT;
                    while let Some(mut accepted) =
                        if token == LISTENER { now(queue.accept(&listener, LISTENER))? } else { None }
                    {
                        queue.register(&mut accepted, SERVER, false)?;
                        server = Some(accepted);
                    }
                }
            }
            // The connection ends with a reset, so no port is kept waiting.
            queue.reset_on_close(&client)?;
            queue.close(client)?;
            if let Some(server) = server {
                queue.close(server)?;
            }
        }
        Ok(())
    }))
}

/// Returns a queue, and the two ends of a connection.
fn pair<Q: Queue>() -> io::Result<(Q, Q::Listener, [Q::Stream; 2])> {
    let mut queue = Q::new()?;
    let (listener, address) = queue.listen(any_port(), LISTENER)?;
    let client = queue.connect(address)?;
    let server = wait(&mut queue, |queue| now(queue.accept(&listener, LISTENER)))?;
    Ok((queue, listener, [client, server]))
}

fn churn<Q: Queue + 'static>() -> io::Result<Program> {
    let (queue, listener, [mut client, server]) = pair::<Q>()?;
    Ok(Box::new(move |operations| {
        let _open = (&listener, &server);
        for _ in 0..operations {
            queue.register(&mut client, 1, false)?;
            queue.reregister(&mut client, 2, true)?;
            queue.deregister(&mut client)?;
        }
        Ok(())
    }))
}

fn polled<Q: Queue + 'static>() -> io::Result<Program> {
    let (mut queue, listener, [mut client, server]) = pair::<Q>()?;
    Ok(Box::new(move |operations| {
        let _open = (&listener, &server);
        for _ in 0..operations {
            queue.register(&mut client, 1, false)?;
            queue.poll(Some(Duration::ZERO))?;
            queue.reregister(&mut client, 2, true)?;
            queue.poll(None)?;
            queue.deregister(&mut client)?;
            queue.poll(Some(Duration::ZERO))?;
        }
        Ok(())
    }))
}

fn idle<Q: Queue + 'static>() -> io::Result<Program> {
    let mut queue = Q::new()?;
    Ok(Box::new(move |operations| (0..operations).try_for_each(|_| queue.poll(Some(Duration::ZERO)))))
}

fn wake<Q: Queue + 'static>() -> io::Result<Program> {
    let mut queue = Q::new()?;
    Ok(Box::new(move |operations| {
        (0..operations).try_for_each(|_| {
            queue.wake()?;
            queue.poll(None)
        })
    }))
}

fn pipes<Q: Pipes + 'static>() -> io::Result<Program> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(r"\\.\pipe\mio-bench-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut queue = Q::new()?;
    let mut pipes = queue.pipe(&name, [0, 1])?;
    Ok(Box::new(move |operations| {
        let mut message = [7; 64];
        for _ in 0..operations {
            for (from, to) in [(0, 1), (1, 0)] {
                wait(&mut queue, |_| now(pipes[from].write(&message)))?;
                wait(&mut queue, |_| now(pipes[to].read(&mut message)))?;
            }
        }
        Ok(())
    }))
}
