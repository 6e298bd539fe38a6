//! Measures this crate on Windows, or under Wine, beside mio 1.2.5 and polling, in one run. `--quick` proves that it
//! works; any other argument is a part of the titles of the rows to be measured.
//!
//! Peers take turns, one short round each, as in the benchmark for Linux: what disturbs the machine meets all alike, and the
//! ratio of two times of one round says more than times measured minutes apart.

#[cfg(windows)]
mod peers;
#[cfg(windows)]
mod work;

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    let (options, titles): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument == "--quick");
    work::measure(!options.is_empty(), titles.first().map_or("", String::as_str))
}

#[cfg(not(windows))]
fn main() {
    eprintln!("for Windows: see ci/windows");
}
