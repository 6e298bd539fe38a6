//! The macro `trace!`: that of the `log` crate or, without the feature `log`, one that does nothing.

#[cfg(feature = "log")]
pub(crate) use log::trace;

/// Checks the arguments, and writes nothing.
#[cfg(not(feature = "log"))]
macro_rules! trace {
    ($($argument:tt)+) => {{
        let _ = format_args!($($argument)+);
    }};
}
#[cfg(not(feature = "log"))]
pub(crate) use trace;
