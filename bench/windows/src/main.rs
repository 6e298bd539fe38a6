//! Measures this crate on Windows, or under Wine, beside mio 1.2.5 and polling, in one run. `--quick` proves that it works. Any
//! other argument is a part of the titles of the rows to measure.
//!
//! Peers take turns, one short round each, as in the benchmark for Linux. What disturbs the machine affects all of them alike,
//! so the ratio of two times in one round is more telling than times that were measured minutes apart.

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
    eprintln!("this program is for Windows: see ci/windows");
}
