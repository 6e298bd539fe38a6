//! [`UdpSocket`]: a UDP socket.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Interest;
use crate::io_source::IoSource;
use crate::io_type::io_type;
#[cfg(any(unix, windows))]
use {
    crate::net::socket,
    socket2::{Domain, SockRef, Type},
};

/// A UDP socket.
///
/// Available with the crate feature `net`.
///
/// If a datagram does not fit into the buffer, you get only its beginning; on Windows you get an error, `WSAEMSGSIZE`.
///
/// # Errors of earlier sends
///
/// If a datagram reached a closed port, a later call on a connected socket may return `ConnectionRefused` (on Windows
/// `ConnectionReset`). It does so once, and you can go on using the socket. On a socket that is not connected, the
/// error would not say which datagram it concerns, so [`recv_from`](UdpSocket::recv_from) never returns it: where the
/// OS reports it (on Windows), `recv_from` skips it. So if one receiver goes away, your loop still serves all the others.
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
    /// Binds a new socket to `address`. Port 0 lets the OS choose one, which [`local_addr`](UdpSocket::local_addr)
    /// returns.
    ///
    /// Available on Unix and Windows.
    ///
    /// Calls `socket(2)` and `bind(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of these calls, such as `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    ///
    /// let second = UdpSocket::bind(socket.local_addr()?);
    /// assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = socket::open(Domain::for_address(address), Type::DGRAM)?;
        socket.bind(&address.into())?;
        Ok(UdpSocket { inner: IoSource::new(socket.into()) })
    }

    /// Converts a socket of the standard library. Set it to non-blocking mode first: this function neither checks nor
    /// changes the mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use mio::net::UdpSocket;
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_nonblocking(true)?;
    ///
    /// let socket = UdpSocket::from_std(socket);
    /// assert_eq!(socket.recv_from(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(socket: net::UdpSocket) -> UdpSocket {
        UdpSocket { inner: IoSource::taken_over(socket) }
    }

    /// Returns the address that the socket is bound to. Calls `getsockname(2)`.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(socket.local_addr()?.port(), 0); // the OS has chosen one
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// Returns the address that the socket is connected to. Calls `getpeername(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`NotConnected`](io::ErrorKind::NotConnected) if the socket is not connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// sender.connect(receiver.local_addr()?)?;
    /// assert_eq!(sender.peer_addr()?, receiver.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// Sends a datagram to `target`. Returns how many bytes it sent, which is all of them.
    ///
    /// Calls `sendto(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room in the send buffer, and the other errors of
    /// `sendto(2)`, such as `EMSGSIZE`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_eq!(sender.send_to(b"hello", receiver.local_addr()?)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to(&self, buffer: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.try_io_for(Interest::WRITABLE, |socket| socket.send_to(buffer, target))
    }

    /// Receives a datagram. Returns its length and the address that it came from.
    ///
    /// Calls `recvfrom(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recvfrom(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// sender.send_to(b"hello", receiver.local_addr()?)?;
    ///
    /// let mut buffer = [0; 64];
    /// # while receiver.peek_from(&mut [0; 64]).is_err() {}
    /// let (length, from) = receiver.recv_from(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// assert_eq!(from, sender.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |socket| {
            loop {
                match socket.recv_from(buffer) {
                    // An earlier datagram reached a closed port: see the type's documentation.
                    Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::ConnectionReset => {}
                    result => return result,
                }
            }
        })
    }

    /// Does what [`recv_from`](UdpSocket::recv_from) does, but leaves the datagram in place, so that the next call receives it
    /// again.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recvfrom(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// sender.send_to(b"hello", receiver.local_addr()?)?;
    ///
    /// let mut buffer = [0; 64];
    /// # while receiver.peek_from(&mut [0; 64]).is_err() {}
    /// assert_eq!(receiver.peek_from(&mut buffer)?, (5, sender.local_addr()?));
    /// assert_eq!(receiver.recv_from(&mut buffer)?, (5, sender.local_addr()?)); // this is the same datagram
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.try_io_for(Interest::READABLE, |socket| socket.peek_from(buffer))
    }

    /// Sends a datagram to the address that the socket is connected to. Returns how many bytes it sent, which is all
    /// of them.
    ///
    /// Calls `send(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room in the send buffer, and the other errors of
    /// `send(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// sender.connect(receiver.local_addr()?)?;
    /// assert_eq!(sender.send(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::WRITABLE, |socket| socket.send(buffer))
    }

    /// Receives a datagram from the address that the socket is connected to. Returns its length.
    ///
    /// Calls `recv(2)`.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recv(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// receiver.connect(sender.local_addr()?)?; // from now on it receives only from there
    /// sender.send_to(b"hello", receiver.local_addr()?)?;
    ///
    /// let mut buffer = [0; 64];
    /// # while receiver.peek_from(&mut [0; 64]).is_err() {}
    /// let length = receiver.recv(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::READABLE, |socket| socket.recv(buffer))
    }

    /// Does what [`recv`](UdpSocket::recv) does, but leaves the datagram in place, so that the next call receives it again.
    ///
    /// # Errors
    ///
    /// Returns [`WouldBlock`](io::ErrorKind::WouldBlock) if no datagram is waiting, and the other errors of `recv(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// receiver.connect(sender.local_addr()?)?;
    /// sender.send_to(b"hello", receiver.local_addr()?)?;
    ///
    /// let mut buffer = [0; 64];
    /// # while receiver.peek_from(&mut [0; 64]).is_err() {}
    /// assert_eq!(receiver.peek(&mut buffer)?, 5);
    /// assert_eq!(receiver.recv(&mut buffer)?, 5); // this is the same datagram
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.try_io_for(Interest::READABLE, |socket| socket.peek(buffer))
    }

    /// Connects the socket to `address`: [`send`](UdpSocket::send) sends there, and the socket receives only
    /// from there.
    ///
    /// Calls `connect(2)`, which does not wait.
    ///
    /// # Errors
    ///
    /// Returns the errors of this call, such as `ENETUNREACH`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// sender.connect(receiver.local_addr()?)?;
    /// sender.send(b"hello")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.inner.connect(address)
    }

    /// Sets the `SO_BROADCAST` option: whether the socket may send datagrams to a broadcast address.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_broadcast(true)?;
    /// assert!(socket.broadcast()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.inner.set_broadcast(broadcast)
    }

    /// Returns the `SO_BROADCAST` option: whether the socket may send datagrams to a broadcast address.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_broadcast(true)?;
    /// assert!(socket.broadcast()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn broadcast(&self) -> io::Result<bool> {
        self.inner.broadcast()
    }

    /// Sets the `IP_MULTICAST_LOOP` option: whether multicast datagrams that the socket sends come back to this host.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_multicast_loop_v4(false)?;
    /// assert!(!socket.multicast_loop_v4()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.inner.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// Returns the `IP_MULTICAST_LOOP` option: whether multicast datagrams that the socket sends come back to this
    /// host.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_multicast_loop_v4(false)?;
    /// assert!(!socket.multicast_loop_v4()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.multicast_loop_v4()
    }

    /// Sets the `IP_MULTICAST_TTL` option: how many hops a multicast datagram may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_multicast_ttl_v4(4)?;
    /// assert_eq!(socket.multicast_ttl_v4()?, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.inner.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// Returns the `IP_MULTICAST_TTL` option: how many hops a multicast datagram may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_multicast_ttl_v4(4)?;
    /// assert_eq!(socket.multicast_ttl_v4()?, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.multicast_ttl_v4()
    }

    /// Sets the `IPV6_MULTICAST_LOOP` option: whether multicast datagrams that the socket sends come back to this host.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// # if std::net::UdpSocket::bind("[::1]:0").is_err() { return Ok(()) } // a host without IPv6
    /// let socket = UdpSocket::bind("[::1]:0".parse().unwrap())?;
    /// socket.set_multicast_loop_v6(false)?;
    /// assert!(!socket.multicast_loop_v6()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.inner.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// Returns the `IPV6_MULTICAST_LOOP` option: whether multicast datagrams that the socket sends come back to this
    /// host.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// # if std::net::UdpSocket::bind("[::1]:0").is_err() { return Ok(()) } // a host without IPv6
    /// let socket = UdpSocket::bind("[::1]:0".parse().unwrap())?;
    /// socket.set_multicast_loop_v6(false)?;
    /// assert!(!socket.multicast_loop_v6()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.multicast_loop_v6()
    }

    /// Sets the `IP_TTL` option: how many hops a packet may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_ttl(64)?;
    /// assert_eq!(socket.ttl()?, 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.set_ttl(ttl)
    }

    /// Returns the `IP_TTL` option: how many hops a packet may make.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.set_ttl(64)?;
    /// assert_eq!(socket.ttl()?, 64);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Returns the `IPV6_V6ONLY` option: whether an IPv6 socket rejects IPv4.
    ///
    /// Available on Unix and Windows.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// # if std::net::UdpSocket::bind("[::]:0").is_err() { return Ok(()) } // a host without IPv6
    /// let socket = UdpSocket::bind("[::]:0".parse().unwrap())?;
    /// if !socket.only_v6()? {
    ///     println!("also receives IPv4, from addresses such as ::ffff:192.0.2.1");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn only_v6(&self) -> io::Result<bool> {
        SockRef::from(&*self.inner).only_v6()
    }

    /// Joins a multicast group (`IP_ADD_MEMBERSHIP`). `interface` is the address of a local interface; with
    /// `UNSPECIFIED` the OS chooses one.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`, such as `ENODEV` if there is no such interface.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use mio::net::UdpSocket;
    ///
    /// let group = Ipv4Addr::new(239, 255, 0, 1);
    /// let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
    /// # if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_err() { return Ok(()) } // no multicast here
    /// # socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.join_multicast_v4(group, interface)
    }

    /// Leaves a multicast group (`IP_DROP_MEMBERSHIP`) that you have joined with the same `interface`.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`, such as `EADDRNOTAVAIL` if the socket is not in the group.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use mio::net::UdpSocket;
    ///
    /// let group = Ipv4Addr::new(239, 255, 0, 1);
    /// let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
    /// # if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_err() { return Ok(()) } // no multicast here
    /// # socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.leave_multicast_v4(group, interface)
    }

    /// Joins a multicast group (`IPV6_ADD_MEMBERSHIP`). `interface` is the index of a local interface; with 0 the OS
    /// chooses one.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`, such as `ENODEV` if there is no such interface.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv6Addr;
    /// use mio::net::UdpSocket;
    ///
    /// let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);
    /// # let tried = std::net::UdpSocket::bind("[::]:0").and_then(|socket| socket.join_multicast_v6(&group, 0));
    /// # if tried.is_err() { return Ok(()) } // a host without IPv6 multicast
    /// let socket = UdpSocket::bind("[::]:0".parse().unwrap())?;
    /// socket.join_multicast_v6(&group, 0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group (`IPV6_DROP_MEMBERSHIP`) that you have joined with the same `interface`.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`, such as `EADDRNOTAVAIL` if the socket is not in the group.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv6Addr;
    /// use mio::net::UdpSocket;
    ///
    /// let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);
    /// # let tried = std::net::UdpSocket::bind("[::]:0").and_then(|socket| socket.join_multicast_v6(&group, 0));
    /// # if tried.is_err() { return Ok(()) } // a host without IPv6 multicast
    /// let socket = UdpSocket::bind("[::]:0".parse().unwrap())?;
    /// socket.join_multicast_v6(&group, 0)?;
    /// socket.leave_multicast_v6(&group, 0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.leave_multicast_v6(group, interface)
    }

    /// Takes the pending error of the socket, `SO_ERROR`, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`. The pending error is the value that this function returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use mio::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// if let Some(error) = socket.take_error()? {
    ///     eprintln!("the socket has failed: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error(net::UdpSocket::take_error)
    }
}

io_type!(UdpSocket, net::UdpSocket, into_std, try_io);
