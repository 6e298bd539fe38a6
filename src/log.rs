//! `trace!` and `error!` of the `log` crate, or nothing without the feature `log`.

#[cfg(feature = "log")]
pub(crate) use log::trace;

/// Checks the arguments and writes nothing.
#[cfg(not(feature = "log"))]
macro_rules! trace {
    ($($argument:tt)+) => {{
        let _ = format_args!($($argument)+);
    }};
}
#[cfg(not(feature = "log"))]
pub(crate) use trace;
