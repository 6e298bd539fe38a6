//! UDP.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(any(unix, windows))]
use socket2::{Domain, SockRef, Type};

use crate::Interest;
use crate::convert::{convert_raw, delegate_to_inner, try_io_inner};
use crate::io_source::IoSource;
#[cfg(any(unix, windows))]
use crate::net::socket;

/// A UDP socket.
///
/// A datagram that does not fit the buffer is cut off to it; on Windows that is an error, `WSAEMSGSIZE`.
///
/// # Errors of earlier sends
///
/// When a datagram met a closed port, a later call on a connected socket may say so: with `ConnectionRefused`, on
/// Windows with `ConnectionReset`. It is told once, and the socket is as good as before. On a socket that is not
/// connected it would not say which datagram it was, and [`recv_from`](UdpSocket::recv_from) never tells: where the OS
/// does (Windows), it passes over that, so that one receiver which is gone does not end a loop that serves all of them.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "os-poll")]
/// # fn main() -> std::io::Result<()> {
/// use mio::net::UdpSocket;
/// use mio::{Events, Interest, Poll, Token};
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// let mut receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
///
/// sender.send_to(b"hello", receiver.local_addr()?)?;
///
/// poll.poll(&mut events, None)?;
/// let mut buffer = [0; 16];
/// let (length, from) = receiver.recv_from(&mut buffer)?;
/// assert_eq!((&buffer[..length], from), (&b"hello"[..], sender.local_addr()?));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "os-poll"))]
/// # fn main() {}
/// ```
pub struct UdpSocket {
    inner: IoSource<net::UdpSocket>,
}

impl UdpSocket {
    /// Binds a new socket to `address`. Port 0 lets the OS choose one; see [`local_addr`](UdpSocket::local_addr).
    ///
    /// Calls `socket(2)` and `bind(2)`.
    ///
    /// # Errors
    ///
    /// Those of the calls, such as `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    #[cfg(any(unix, windows))]
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = socket::open(Domain::for_address(address), Type::DGRAM)?;
        socket.bind(&address.into())?;
        Ok(UdpSocket::from_std(socket.into()))
    }

    /// Converts a socket of the standard library, which must be in non-blocking mode: this is not checked or changed.
    pub fn from_std(socket: net::UdpSocket) -> UdpSocket {
        UdpSocket { inner: IoSource::new(socket) }
    }

    /// The address that the socket is bound to. Calls `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The address that the socket is connected to. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Sends a datagram to `target`. Returns how many bytes were sent: all of them.
    ///
    /// Calls `sendto(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room in the send buffer; others of `sendto(2)`, such as
    /// `EMSGSIZE`.
    pub fn send_to(&self, buffer: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.try_io(Interest::WRITABLE, |socket| socket.send_to(buffer, target))
    }

    /// Receives a datagram: its length, and where it came from.
    ///
    /// Calls `recvfrom(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; others of `recvfrom(2)`.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |socket| {
            loop {
                match socket.recv_from(buffer) {
                    // An earlier datagram met a closed port: see the type's documentation.
                    Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::ConnectionReset => {}
                    result => return result,
                }
            }
        })
    }

    /// As [`recv_from`](UdpSocket::recv_from), and leaves the datagram to be received again.
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io(Interest::READABLE, |socket| socket.peek_from(buffer))
    }

    /// Sends a datagram to the address that the socket is connected to. Returns how many bytes were sent: all of them.
    ///
    /// Calls `send(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room in the send buffer; others of `send(2)`.
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::WRITABLE, |socket| socket.send(buffer))
    }

    /// Receives a datagram from the address that the socket is connected to. Returns its length.
    ///
    /// Calls `recv(2)`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; others of `recv(2)`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::READABLE, |socket| socket.recv(buffer))
    }

    /// As [`recv`](UdpSocket::recv), and leaves the datagram to be received again.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io(Interest::READABLE, |socket| socket.peek(buffer))
    }

    /// Connects the socket to `address`: where [`send`](UdpSocket::send) sends to, and the only one that it receives
    /// from.
    ///
    /// Calls `connect(2)`, which does not wait for anything.
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.inner.connect(address)
    }

    /// Sets the `SO_BROADCAST` option: whether datagrams may be sent to a broadcast address.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.inner.set_broadcast(broadcast)
    }

    /// Reads the `SO_BROADCAST` option.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.inner.broadcast()
    }

    /// Sets the `IP_MULTICAST_LOOP` option: whether multicast datagrams come back to this host.
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.inner.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// Reads the `IP_MULTICAST_LOOP` option.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.multicast_loop_v4()
    }

    /// Sets the `IP_MULTICAST_TTL` option: how many hops a multicast datagram may make.
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.inner.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// Reads the `IP_MULTICAST_TTL` option.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.multicast_ttl_v4()
    }

    /// Sets the `IPV6_MULTICAST_LOOP` option: whether multicast datagrams come back to this host.
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.inner.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// Reads the `IPV6_MULTICAST_LOOP` option.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.multicast_loop_v6()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.set_ttl(ttl)
    }

    /// Reads the `IP_TTL` option.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Reads the `IPV6_V6ONLY` option: whether an IPv6 socket is closed to IPv4.
    #[cfg(any(unix, windows))]
    pub fn only_v6(&self) -> io::Result<bool> {
        SockRef::from(&*self.inner).only_v6()
    }

    /// Joins a multicast group (`IP_ADD_MEMBERSHIP`). `interface` is the address of a local interface, or `UNSPECIFIED`
    /// for the OS to choose.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.join_multicast_v4(group, interface)
    }

    /// Leaves a multicast group (`IP_DROP_MEMBERSHIP`), joined with the same `interface`.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.leave_multicast_v4(group, interface)
    }

    /// Joins a multicast group (`IPV6_ADD_MEMBERSHIP`). `interface` is the index of a local interface, or 0 for the OS
    /// to choose.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group (`IPV6_DROP_MEMBERSHIP`), joined with the same `interface`.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.leave_multicast_v6(group, interface)
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

delegate_to_inner!(UdpSocket);
try_io_inner!(UdpSocket);
convert_raw!(UdpSocket, net::UdpSocket);

impl From<UdpSocket> for net::UdpSocket {
    /// The socket stays in non-blocking mode.
    fn from(socket: UdpSocket) -> Self {
        socket.inner.into_inner()
    }
}
