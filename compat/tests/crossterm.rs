//! The crate crossterm waits for keys and for SIGWINCH in a `Poll`. The test runs a program that uses it on a pseudo-terminal.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

#[test]
fn a_program_sees_every_key_and_the_size_of_its_terminal() {
    let mut keyboard = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let path = ptsname(&keyboard, Vec::new()).unwrap();
    let path = OsStr::from_bytes(path.as_bytes());
    let terminal = OpenOptions::new().read(true).write(true).open(path).unwrap();

    // This is the program's controlling terminal, so signals report changes as they do in a window.
    let mut program = Command::new("setsid")
        .args(["--ctty", env!("CARGO_BIN_EXE_keys")])
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(keyboard.try_clone().unwrap()).lines().map(Result::unwrap);
    let mut says = |line: &str| assert_eq!(lines.next().unwrap().trim_end(), line);
    says("ready");

    for (typed, said) in [
        ("a", "Char('a')"),
        ("\u{e9}", "Char('\u{e9}')"),
        ("\x1b[A", "Up"),
        ("\x1b[1;5C", "Control Right"),
        ("\x1bOQ", "F(2)"),
        ("\r", "Enter"),
    ] {
        keyboard.write_all(typed.as_bytes()).unwrap();
        says(said);
    }
    for digit in "0123456789".repeat(50).chars() {
        keyboard.write_all(digit.to_string().as_bytes()).unwrap();
        says(&format!("Char('{digit}')"));
    }

    tcsetwinsize(&terminal, Winsize { ws_row: 33, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    says("99 by 33");

    keyboard.write_all(b"q").unwrap();
    says("bye");
    assert!(program.wait().unwrap().success());
}
