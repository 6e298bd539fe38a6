//! AFD, the driver behind Windows' sockets, which completes a poll when a socket is ready. It is undocumented, and `select` and
//! `WSAPoll` are built on it.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawSocket};
use std::ptr;

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCancelIoFileEx, NtCreateFile};
use windows_sys::Wdk::System::IO::NtDeviceIoControlFile;
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_HANDLE, HANDLE, NTSTATUS, RtlNtStatusToDosError, STATUS_CANCELLED, STATUS_NOT_FOUND, STATUS_SUCCESS,
    UNICODE_STRING,
};
use windows_sys::Win32::Networking::WinSock::{
    INVALID_SOCKET, SIO_BASE_HANDLE, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE_SELECT, SOCKET, WSAENOTSOCK, WSAIoctl,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE, SetFileCompletionNotificationModes,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, OVERLAPPED};

use super::iocp::{Operation, Port};
use crate::sys::common::kernel::Lent;

const IOCTL_AFD_POLL: u32 = 0x0001_2024;
const FILE_SKIP_SET_EVENT_ON_HANDLE: u8 = 2;

/// `\Device\Afd`, followed by any name. A list of the process's handles shows what this one belongs to.
const DEVICE: &str = r"\Device\Afd\Mio";

/// A handle of the driver, through which this crate submits polls.
pub(crate) struct Afd(OwnedHandle);

impl Afd {
    /// Opens the driver, and makes its polls complete at `port`.
    pub(crate) fn open(port: &Port) -> io::Result<Afd> {
        let mut name: Vec<u16> = DEVICE.encode_utf16().collect();
        let length = mem::size_of_val(&*name) as u16;
        let name = UNICODE_STRING { Length: length, MaximumLength: length, Buffer: name.as_mut_ptr() };
        let attributes = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
            ObjectName: &name,
            ..OBJECT_ATTRIBUTES::default()
        };
        let mut handle = ptr::null_mut();
        let mut status_block = IO_STATUS_BLOCK::default();
        // SAFETY: all pointers are valid during the call, and there are no extended attributes.
        let status = unsafe {
            NtCreateFile(
                &mut handle,
                SYNCHRONIZE,
                &attributes,
                &mut status_block,
                ptr::null(),
                0,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                FILE_OPEN,
                0,
                ptr::null(),
                0,
            )
        };
        check(status)?;
        // SAFETY: the handle is new, and nothing else owns it.
        let device = unsafe { OwnedHandle::from_raw_handle(handle) };
        port.associate(&device)?;
        // No thread waits for the handle itself, so the kernel need not signal it with each completion. If this fails,
        // everything works, only more slowly. SAFETY: the handle is open.
        unsafe { SetFileCompletionNotificationModes(device.as_raw_handle(), FILE_SKIP_SET_EVENT_ON_HANDLE) };
        Ok(Afd(device))
    }

    /// Asks for a completion when one of `events` holds for the socket.
    ///
    /// # Safety
    ///
    /// Until the completion was dequeued, `overlapped` and `question` must stay alive, and no other code may access them.
    pub(crate) unsafe fn poll(
        &self,
        overlapped: *mut OVERLAPPED,
        question: &Question,
        socket: RawSocket,
        events: u32,
    ) -> io::Result<()> {
        super::faults::on_submission()?;
        let info = question.0.get();
        // SAFETY: the handle is open. The caller keeps the memory alive, and nothing else accesses it. An `OVERLAPPED` begins
        // with an `IO_STATUS_BLOCK`.
        let status = unsafe {
            *info = PollInfo::new(socket, events);
            NtDeviceIoControlFile(
                self.0.as_raw_handle(),
                ptr::null_mut(),
                None,
                overlapped.cast(),
                overlapped.cast(),
                IOCTL_AFD_POLL,
                info.cast(),
                size_of::<PollInfo>() as u32,
                info.cast(),
                size_of::<PollInfo>() as u32,
            )
        };
        check(status)
    }

    /// Asks the driver to end the poll. The poll completes in any case: as cancelled, or as if this had not been called. After
    /// an error, only the latter is possible.
    pub(crate) fn cancel(&self, operation: &Operation) -> io::Result<()> {
        let mut status_block = IO_STATUS_BLOCK::default();
        let overlapped = operation.overlapped().cast();
        // SAFETY: the handle is open, and the kernel uses the address only to find the poll.
        match unsafe { NtCancelIoFileEx(self.0.as_raw_handle(), overlapped, &mut status_block) } {
            // The poll has already ended.
            STATUS_NOT_FOUND => Ok(()),
            status => check(status),
        }
    }
}

/// The memory of a poll, which holds the question, and later the answer.
pub(crate) struct Question(Lent<PollInfo>);

/// The result of a poll.
pub(crate) enum Answer {
    /// These events hold.
    Events(u32),
    /// The poll was cancelled.
    Cancelled,
    /// The driver could not continue the poll.
    Failed(io::Error),
}

impl Question {
    pub(crate) fn new() -> Question {
        Question(Lent::new(PollInfo::new(0, 0)))
    }

    /// Returns the result of the poll, which has ended with `status`.
    ///
    /// # Safety
    ///
    /// The completion of the poll was dequeued, and no poll has started since.
    pub(crate) unsafe fn answer(&self, status: NTSTATUS) -> Answer {
        let status = super::faults::on_completion(status);
        // SAFETY: the caller promises that nothing writes to it.
        let info = unsafe { &*self.0.get() };
        match status {
            STATUS_SUCCESS if info.count != 0 => Answer::Events(info.events),
            STATUS_CANCELLED => Answer::Cancelled,
            _ => check(status).map_or_else(Answer::Failed, |()| Answer::Events(0)),
        }
    }
}

/// Returns whether polling failed because the socket was closed, so that the handle is invalid or belongs to something else.
/// Any other failure may be temporary.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code) if code == ERROR_INVALID_HANDLE as i32 || code == WSAENOTSOCK)
}

/// `AFD_POLL_INFO` with one `AFD_POLL_HANDLE_INFO`.
#[derive(Copy, Clone)]
#[repr(C)]
struct PollInfo {
    timeout: i64,
    count: u32,
    /// Whether this poll ends earlier polls of the same socket.
    exclusive: u32,
    handle: HANDLE,
    events: u32,
    status: NTSTATUS,
}

impl PollInfo {
    fn new(socket: RawSocket, events: u32) -> PollInfo {
        let handle = ptr::without_provenance_mut(socket as usize);
        PollInfo { timeout: i64::MAX, count: 1, exclusive: 0, handle, events, status: STATUS_SUCCESS }
    }
}

/// Returns the driver's own socket below `socket`. It is a different one if a layered service provider is installed, which is a
/// filter that some old software puts in between.
pub(crate) fn base_socket(socket: RawSocket) -> io::Result<RawSocket> {
    find_base_socket(socket as SOCKET, ask_provider).map(|socket| socket as RawSocket)
}

/// Finds the driver's own socket. Against the rules, some layered providers refuse `SIO_BASE_HANDLE`. All known ones of those
/// tell `select` or `WSAPoll` the next lower socket, so this asks in the name of these functions, layer by layer.
fn find_base_socket(mut socket: SOCKET, ask: impl Fn(SOCKET, u32) -> io::Result<SOCKET>) -> io::Result<SOCKET> {
    loop {
        let error = match ask(socket, SIO_BASE_HANDLE) {
            Ok(base) => return Ok(base),
            Err(error) if error.raw_os_error() == Some(WSAENOTSOCK) => return Err(error),
            Err(error) => error,
        };
        let lower = [SIO_BSP_HANDLE_SELECT, SIO_BSP_HANDLE_POLL]
            .into_iter()
            .find_map(|question| ask(socket, question).ok().filter(|&lower| lower != socket));
        socket = lower.ok_or(error)?;
    }
}

fn ask_provider(socket: SOCKET, question: u32) -> io::Result<SOCKET> {
    let mut answer = INVALID_SOCKET;
    let mut length = 0;
    // SAFETY: the answer has room for a socket, and the call is not overlapped.
    let failed = unsafe {
        WSAIoctl(
            socket,
            question,
            ptr::null(),
            0,
            (&raw mut answer).cast(),
            size_of::<SOCKET>() as u32,
            &mut length,
            ptr::null_mut(),
            None,
        )
    };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Turns a failure into the corresponding error of Win32. Warnings and "pending" are not failures: a completion follows them.
pub(crate) fn check(status: NTSTATUS) -> io::Result<()> {
    const SEVERITY: u32 = 0b11 << 30;
    if status as u32 & SEVERITY != SEVERITY {
        return Ok(());
    }
    // SAFETY: the call takes no pointer.
    let code = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(code as i32))
}

#[cfg(test)]
mod tests {
    use windows_sys::Wdk::Storage::FileSystem::{FileIoCompletionNotificationInformation, NtQueryInformationFile};

    use super::*;

    #[test]
    fn a_completion_does_not_signal_the_handle() {
        let afd = Afd::open(&Port::new().unwrap()).unwrap();
        let (mut status_block, mut modes) = (IO_STATUS_BLOCK::default(), 0_u32);
        let (room, size) = ((&raw mut modes).cast(), size_of::<u32>() as u32);
        let kind = FileIoCompletionNotificationInformation;
        // SAFETY: the handle is open, and the answer has enough room.
        check(unsafe { NtQueryInformationFile(afd.0.as_raw_handle(), &mut status_block, room, size, kind) }).unwrap();
        assert_eq!(modes, u32::from(FILE_SKIP_SET_EVENT_ON_HANDLE));
    }

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(windows_sys::Win32::Networking::WinSock::WSAEINVAL)
    }

    #[test]
    fn a_provider_that_refuses_the_base_handle_is_asked_layer_by_layer() {
        // Socket 3 lies above 2, which lies above 1, and each layer answers a different question.
        let base = find_base_socket(3, |socket, question| match (socket, question) {
            (3, SIO_BSP_HANDLE_SELECT) => Ok(2),
            (2, SIO_BSP_HANDLE_POLL) => Ok(1),
            (1, SIO_BASE_HANDLE) => Ok(1),
            _ => Err(refused()),
        });
        assert_eq!(base.unwrap(), 1);
    }

    #[test]
    fn a_provider_that_refuses_everything_is_an_error_and_no_endless_loop() {
        let nothing = find_base_socket(3, |_, _| Err(refused()));
        assert_eq!(nothing.unwrap_err().raw_os_error(), refused().raw_os_error());
        let itself = find_base_socket(3, |socket, question| match question {
            SIO_BASE_HANDLE => Err(refused()),
            _ => Ok(socket),
        });
        assert_eq!(itself.unwrap_err().raw_os_error(), refused().raw_os_error());
    }

    #[test]
    fn what_is_no_socket_is_not_asked_further() {
        let error = find_base_socket(3, |_, question| {
            assert_eq!(question, SIO_BASE_HANDLE);
            Err(io::Error::from_raw_os_error(WSAENOTSOCK))
        });
        assert_eq!(error.unwrap_err().raw_os_error(), Some(WSAENOTSOCK));
    }
}
