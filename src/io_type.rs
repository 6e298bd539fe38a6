//! The code that the socket and pipe types share (all but named pipes): registration, reading and writing, other I/O, and
//! conversion from and to the types of the standard library and the OS. Each type is a struct whose field `inner` is an
//! [`IoSource`](crate::io_source::IoSource).

/// Implements what every type has, for a type that holds an `IoSource<$io>`, and adds the abilities that it names, which are
/// macros below.
macro_rules! io_type {
    ($type:ty, $io:ty $(, $ability:ident $(($($argument:path),*))?)*) => {
        crate::io_type::source!($type, $io);
        crate::io_type::convert_raw!($type, $io);
        $(crate::io_type::$ability!($type, $io $($(, $argument)*)?);)*
    };
}

/// Implements [`event::Source`](crate::event::Source) and `Debug` by forwarding to `inner`.
macro_rules! source {
    ($type:ty, $io:ty) => {
        crate::event::impl_source!($type, inner);

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }
    };
}

/// Implements `Read`, for the type and for references to it, by forwarding to `inner`.
macro_rules! read {
    ($type:ty, $io:ty) => {
        crate::io_type::read_by_reference!($type);

        impl std::io::Read for &$type {
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let room = buffer.len();
                self.inner.stream_io(crate::Interest::READABLE, || room, |mut io| io.read(buffer))
            }

            #[inline]
            fn read_vectored(&mut self, buffers: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                let room = buffers.iter().map(|buffer| buffer.len()).sum();
                self.inner.stream_io(crate::Interest::READABLE, || room, |mut io| io.read_vectored(buffers))
            }
        }
    };
}

/// Implements `Write`, for the type and for references to it, with two functions on what `inner` holds that work like those of
/// `Write`.
macro_rules! write_by {
    ($type:ty, $io:ty, $write:path, $write_vectored:path) => {
        crate::io_type::write_by_reference!($type);

        impl std::io::Write for &$type {
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
                self.inner.stream_io(crate::Interest::WRITABLE, || buffer.len(), |mut io| $write(&mut io, buffer))
            }

            #[inline]
            fn write_vectored(&mut self, buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                let room = || buffers.iter().map(|buffer| buffer.len()).sum();
                self.inner.stream_io(crate::Interest::WRITABLE, room, |mut io| $write_vectored(&mut io, buffers))
            }

            #[inline]
            fn flush(&mut self) -> std::io::Result<()> {
                self.inner.try_io_for(crate::Interest::WRITABLE, |mut io| io.flush())
            }
        }
    };
}

/// Implements `Read` for a type by forwarding to references to it.
macro_rules! read_by_reference {
    ($type:ty) => {
        impl std::io::Read for $type {
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(buffer)
            }

            #[inline]
            fn read_vectored(&mut self, buffers: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }
    };
}

/// Implements `Write` for a type by forwarding to references to it.
macro_rules! write_by_reference {
    ($type:ty) => {
        impl std::io::Write for $type {
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
                (&*self).write(buffer)
            }

            #[inline]
            fn write_vectored(&mut self, buffers: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            #[inline]
            fn flush(&mut self) -> std::io::Result<()> {
                (&*self).flush()
            }
        }
    };
}

/// Implements `try_io` and `try_io_for` by forwarding to `inner`.
macro_rules! try_io {
    ($type:ty, $io:ty) => {
        impl $type {
            /// Does I/O that this type has no method for, on the file descriptor or socket that it holds, by calling `io` once.
            /// Returns the result of `io`. If that is [`WouldBlock`](std::io::ErrorKind::WouldBlock), the queue waits for both
            /// directions again, as it does for one direction after a method of this type.
            ///
            /// `io` must do non-blocking I/O on this source, and may return `WouldBlock` only if the OS does.
            ///
            /// If `io` needs only one direction, use [`try_io_for`](Self::try_io_for) instead.
            ///
            /// # Errors
            ///
            /// Returns the error of `io`. On Windows and with event ports and `poll(2)`, it returns the OS's error instead of
            /// `WouldBlock` or `EINPROGRESS` if the queue cannot wait again.
            ///
            /// # Examples
            ///
            /// This asks who sent the next datagram, which no method of [`UdpSocket`](crate::net::UdpSocket) does:
            ///
            /// ```
            /// # #[cfg(not(all(any(unix, windows), feature = "net")))]
            /// # fn main() {}
            /// # #[cfg(all(any(unix, windows), feature = "net"))]
            /// # fn main() -> std::io::Result<()> {
            /// use std::io::ErrorKind;
            /// use mio::net::UdpSocket;
            /// use socket2::SockRef;
            ///
            /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
            /// let sender = socket.try_io(|| SockRef::from(&socket).peek_sender());
            /// assert_eq!(sender.unwrap_err().kind(), ErrorKind::WouldBlock); // and the queue knows it
            /// # Ok(())
            /// # }
            /// ```
            pub fn try_io<F, T>(&self, io: F) -> std::io::Result<T>
            where
                F: FnOnce() -> std::io::Result<T>,
            {
                self.try_io_for(crate::Interest::READABLE | crate::Interest::WRITABLE, io)
            }

            /// Does what [`try_io`](Self::try_io) does, for I/O in the directions of `interest`. If `io` returns
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock), the queue waits again for those directions, and for no others.
            ///
            /// Use it whenever you know what `io` waits for. Where the crate emulates edge-triggering (Windows, event ports,
            /// `poll(2)`), a read through `try_io` that would block causes an event for writing as well, although nothing has
            /// changed in that direction.
            ///
            /// # Errors
            ///
            /// Returns the error of `io`. On Windows and with event ports and `poll(2)`, it returns the OS's error instead of
            /// `WouldBlock` or `EINPROGRESS` if the queue cannot wait again.
            ///
            /// # Examples
            ///
            /// This asks who sent the next datagram, which no method of [`UdpSocket`](crate::net::UdpSocket) does:
            ///
            /// ```
            /// # #[cfg(not(all(any(unix, windows), feature = "net")))]
            /// # fn main() {}
            /// # #[cfg(all(any(unix, windows), feature = "net"))]
            /// # fn main() -> std::io::Result<()> {
            /// use std::io::ErrorKind;
            /// use mio::Interest;
            /// use mio::net::UdpSocket;
            /// use socket2::SockRef;
            ///
            /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
            /// let sender = socket.try_io_for(Interest::READABLE, || SockRef::from(&socket).peek_sender());
            /// assert_eq!(sender.unwrap_err().kind(), ErrorKind::WouldBlock); // and the queue knows it
            /// # Ok(())
            /// # }
            /// ```
            pub fn try_io_for<F, T>(&self, interest: crate::Interest, io: F) -> std::io::Result<T>
            where
                F: FnOnce() -> std::io::Result<T>,
            {
                self.inner.try_io_for(interest, |_| io())
            }
        }
    };
}

/// Implements the conversion into the standard library's type that the type holds.
macro_rules! into_std {
    ($type:ty, $io:ty) => {
        impl From<$type> for $io {
            /// Converts it into the standard library's type. It stays in non-blocking mode.
            fn from(source: $type) -> Self {
                source.inner.into_inner()
            }
        }
    };
}

/// Implements conversions between a type of this crate, the type `$io` that it holds, and file descriptors.
#[cfg(not(windows))]
macro_rules! convert_raw {
    ($type:ty, $io:ty) => {
        crate::io_type::convert_by!(
            $type, $io, "descriptor", std::os::fd, AsFd::as_fd -> BorrowedFd, AsRawFd::as_raw_fd -> RawFd,
            IntoRawFd::into_raw_fd, FromRawFd::from_raw_fd, OwnedFd
        );
    };
}

/// Implements conversions between a type of this crate, the type `$io` that it holds, and sockets.
#[cfg(windows)]
macro_rules! convert_raw {
    ($type:ty, $io:ty) => {
        crate::io_type::convert_by!(
            $type, $io, "socket", std::os::windows::io, AsSocket::as_socket -> BorrowedSocket,
            AsRawSocket::as_raw_socket -> RawSocket, IntoRawSocket::into_raw_socket, FromRawSocket::from_raw_socket,
            OwnedSocket
        );
    };
}

/// Implements conversions by the traits and types of the module `$os`, whose word for what it converts is `$what`.
macro_rules! convert_by {
    (
        $type:ty, $io:ty, $what:literal, $($os:ident)::+, $As:ident::$as:ident -> $Borrowed:ident,
        $AsRaw:ident::$as_raw:ident -> $Raw:ident, $IntoRaw:ident::$into_raw:ident, $FromRaw:ident::$from_raw:ident,
        $Owned:ident
    ) => {
        const _: () = {
            use $($os)::+::{$As, $AsRaw, $Borrowed, $FromRaw, $IntoRaw, $Owned, $Raw};

            use crate::io_source::IoSource;

            impl $As for $type {
                fn $as(&self) -> $Borrowed<'_> {
                    self.inner.$as()
                }
            }

            impl $AsRaw for $type {
                fn $as_raw(&self) -> $Raw {
                    self.inner.$as_raw()
                }
            }

            impl $IntoRaw for $type {
                fn $into_raw(self) -> $Raw {
                    self.inner.into_inner().$into_raw()
                }
            }

            #[allow(unsafe_code)]
            impl $FromRaw for $type {
                #[doc = concat!("Takes over a ", $what, ", which must be in non-blocking mode.")]
                /// This does not check or change the mode.
                ///
                /// # Safety
                ///
                #[doc = concat!("The ", $what, " must be open and of this kind, and nothing else may own it.")]
                unsafe fn $from_raw(raw: $Raw) -> $type {
                    // SAFETY: the caller promises that the number is open, of this kind, and its own to give.
                    let io = unsafe { <$io>::$from_raw(raw) };
                    Self { inner: IoSource::taken_over(io) }
                }
            }

            impl From<$Owned> for $type {
                #[doc = concat!("Takes over a ", $what, ", which must be of this kind and in non-blocking mode.")]
                /// This does not check or change either.
                fn from(owned: $Owned) -> Self {
                    Self { inner: IoSource::taken_over(owned.into()) }
                }
            }

            impl From<$type> for $Owned {
                fn from(source: $type) -> Self {
                    source.inner.into_inner().into()
                }
            }
        };
    };
}

pub(crate) use {
    convert_by, convert_raw, into_std, io_type, read, read_by_reference, source, try_io, write_by, write_by_reference,
};
