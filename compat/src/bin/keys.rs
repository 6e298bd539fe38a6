//! A terminal program on crossterm, which prints what it sees, key by key and size by size, until `q`. `tests/crossterm.rs` is
//! at the keyboard.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use crossterm::event::{Event, KeyCode, KeyModifiers, poll, read};
    use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
    use std::time::Duration;

    enable_raw_mode()?;
    // The program looks once before it says that it is there. From then on it misses no signal.
    while poll(Duration::ZERO)? {
        read()?;
    }
    println!("ready");
    loop {
        if !poll(Duration::from_secs(100))? {
            break println!("nobody types");
        }
        match read()? {
            Event::Key(key) if key.code == KeyCode::Char('q') => break,
            Event::Key(key) if key.modifiers == KeyModifiers::CONTROL => println!("Control {:?}", key.code),
            Event::Key(key) => println!("{:?}", key.code),
            Event::Resize(columns, rows) => println!("{columns} by {rows}"),
            event => println!("{event:?}"),
        }
    }
    disable_raw_mode()?;
    println!("bye");
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this program is for terminals of Unix");
}
