//! Does steps with the crate that the parent module calls `mio`: this one or the release. One text serves both, so whatever
//! differs is due to the crates.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::IO::CancelIoEx;
use windows_sys::Win32::System::Pipes::{CreateNamedPipeW, DisconnectNamedPipe, PIPE_TYPE_BYTE, PeekNamedPipe};

use super::mio::windows::NamedPipe;
use super::mio::{Events, Interest, Poll, Token};
use crate::field::{BUFFER, Kind, POLLS, SLOTS, Step, new_name};
use crate::outcome::{Outcome, Subject, Told};

pub struct World {
    polls: [Poll; POLLS],
    slots: [Option<Slot>; SLOTS],
    events: Events,
}

struct Slot {
    kind: Kind,
    name: String,
    ours: NamedPipe,
    peer: Option<File>,
}

impl Subject for World {
    fn new() -> World {
        World {
            polls: [(); POLLS].map(|()| Poll::new().unwrap()),
            slots: [const { None }; SLOTS],
            events: Events::with_capacity(64),
        }
    }

    fn try_perform(&mut self, index: usize, step: Step) -> Option<Outcome> {
        let result = match step {
            Step::Open(slot, kind) => {
                self.slots[slot] = None;
                self.slots[slot] = Some(Slot::open(kind).unwrap());
                Ok(0)
            }
            Step::Close(slot) => self.slots[slot].take().map(|_| Ok(0))?,
            Step::Register(slot, poll, bits) => {
                let registry = self.polls[poll].registry();
                registry.register(&mut self.slots[slot].as_mut()?.ours, Token(index), interest(bits)).map(|()| 0)
            }
            Step::Reregister(slot, poll, bits) => {
                let registry = self.polls[poll].registry();
                registry.reregister(&mut self.slots[slot].as_mut()?.ours, Token(index), interest(bits)).map(|()| 0)
            }
            Step::Deregister(slot, poll) => {
                self.polls[poll].registry().deregister(&mut self.slots[slot].as_mut()?.ours).map(|()| 0)
            }
            Step::Connect(slot) => self.slots[slot].as_ref()?.ours.connect().map(|()| 0),
            Step::Disconnect(slot) => self.slots[slot].as_ref()?.ours.disconnect().map(|()| 0),
            Step::TakeError(slot) => match self.slots[slot].as_ref()?.ours.take_error() {
                Ok(Some(error)) => Err(error),
                result => result.map(|_| 0),
            },
            Step::Cancel(slot) => {
                // SAFETY: the handle is open. Whether there is anything to cancel may differ between the two crates.
                unsafe { CancelIoEx(self.slots[slot].as_ref()?.ours.as_raw_handle(), ptr::null()) };
                Ok(0)
            }
            Step::Read(slot, length) => self.slots[slot].as_mut()?.ours.read(&mut vec![0; length]),
            Step::ReadAll(slot) => {
                let ours = &mut self.slots[slot].as_mut()?.ours;
                let mut all = 0;
                loop {
                    match ours.read(&mut [0; 4096]) {
                        Ok(0) | Err(_) if all > 0 => break Ok(all),
                        Ok(0) => break Ok(0),
                        Ok(count) => all += count,
                        Err(error) => break Err(error),
                    }
                }
            }
            Step::Write(slot, length) => self.slots[slot].as_mut()?.ours.write(&vec![b'x'; length]),
            Step::WriteVectored(slot, count, length) => {
                let bytes = vec![b'x'; length];
                let slices: Vec<_> = (0..count).map(|_| IoSlice::new(&bytes)).collect();
                self.slots[slot].as_mut()?.ours.write_vectored(&slices)
            }
            Step::PeerOpen(slot) => {
                let slot = self.slots[slot].as_mut()?;
                if slot.peer.is_some() || slot.kind == Kind::Client {
                    return None;
                }
                let peer = OpenOptions::new().read(true).write(true).open(&slot.name);
                peer.map(|peer| slot.peer = Some(peer)).map(|()| 0)
            }
            Step::PeerWrite(slot, length) => self.slots[slot].as_mut()?.peer.as_mut()?.write(&vec![b'y'; length]),
            Step::PeerRead(slot) => read_what_is_there(self.slots[slot].as_mut()?.peer.as_mut()?),
            Step::PeerDisconnect(slot) => {
                let slot = self.slots[slot].as_mut()?;
                if slot.kind == Kind::Server {
                    return None;
                }
                // SAFETY: the handle is open.
                match unsafe { DisconnectNamedPipe(slot.peer.as_ref()?.as_raw_handle()) } {
                    0 => Err(io::Error::last_os_error()),
                    _ => Ok(0),
                }
            }
            Step::PeerClose(slot) => self.slots[slot].as_mut()?.peer.take().map(|_| Ok(0))?,
            Step::Poll(poll) => return Some(self.poll(poll)),
        };
        Some(result.into())
    }
}

impl World {
    /// Polls until nothing more comes. Operations take time, so it is a matter of chance how many events report something.
    fn poll(&mut self, poll: usize) -> Outcome {
        let mut told: Vec<Told> = Vec::new();
        loop {
            if let Err(error) = self.polls[poll].poll(&mut self.events, Some(Duration::from_millis(1))) {
                return Err(error).into();
            }
            if self.events.is_empty() {
                told.sort_by_key(|told| told.token);
                return Outcome::Events(told);
            }
            for event in &self.events {
                let hints = [
                    event.is_readable(),
                    event.is_writable(),
                    event.is_error(),
                    event.is_read_closed(),
                    event.is_write_closed(),
                    event.is_priority(),
                ];
                let hints = hints.iter().enumerate().map(|(bit, &hint)| u8::from(hint) << bit).sum();
                match told.iter_mut().find(|told| told.token == event.token().0) {
                    Some(told) => told.hints |= hints,
                    None => told.push(Told { token: event.token().0, hints, events: 1 }),
                }
            }
        }
    }
}

fn interest(bits: u8) -> Interest {
    match bits {
        1 => Interest::READABLE,
        2 => Interest::WRITABLE,
        _ => Interest::READABLE | Interest::WRITABLE,
    }
}

impl Slot {
    fn open(kind: Kind) -> io::Result<Slot> {
        let name = new_name();
        if kind == Kind::Server {
            return Ok(Slot { kind, ours: NamedPipe::new(&name)?, name, peer: None });
        }
        let peer = server(&name)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(&name)?;
        // SAFETY: the file was opened for overlapped I/O, and gives up its handle here.
        let ours = unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) };
        Ok(Slot { kind, name, ours, peer: Some(peer) })
    }
}

/// Returns a plain server, whose calls block.
fn server(name: &str) -> io::Result<File> {
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let room = BUFFER as u32;
    // SAFETY: the name ends with a NUL.
    let handle =
        unsafe { CreateNamedPipeW(name.as_ptr(), PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, room, room, 0, ptr::null()) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is new, and nothing else owns it.
    Ok(unsafe { File::from_raw_handle(handle) })
}

/// Reads without blocking.
fn read_what_is_there(file: &mut File) -> io::Result<usize> {
    let mut all = 0;
    loop {
        let (mut count, none) = (0, ptr::null_mut());
        // SAFETY: the handle is open, and there is room for the count, the only thing that this asks for.
        let peeked =
            unsafe { PeekNamedPipe(file.as_raw_handle(), none, 0, ptr::null_mut(), &mut count, ptr::null_mut()) };
        match (peeked, count) {
            (0, _) if all == 0 => return Err(io::Error::last_os_error()),
            (0, _) | (_, 0) => return Ok(all),
            _ => all += file.read(&mut vec![0; count as usize])?,
        }
    }
}
