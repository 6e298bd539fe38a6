//! Checks rustdoc's JSON output for the crate: it must contain a list of public items, or the documentation must have what a
//! reader needs.
//!
//! ```sh
//! cargo run -p mio-api -- api/linux.txt target/doc/mio.json
//! cargo run -p mio-api -- --docs target/doc/mio.json
//! ```
//!
//! The lists are the API of mio 1.2.5 on each platform, with one item on each line, in the words of the `public-api` crate.
//! They include trait implementations and auto traits. The crate may have more than the lists. A list also says that a type
//! lacks an auto trait (`impl !Trait for Type`), but nobody can rely on that, so the type may have it.

mod docs;

use std::collections::HashSet;
use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [list, documentation] = &arguments[..] else { return Err("usage: mio-api LIST|--docs RUSTDOC-JSON".into()) };
    if list == "--docs" {
        return Ok(if docs::check(documentation)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }

    let api = public_api::Builder::from_rustdoc_json(documentation).omit_blanket_impls(true).build()?;
    let present: HashSet<String> = api.items().map(|item| what_is_public(&item.to_string())).collect();
    let expected: HashSet<String> = fs::read_to_string(list)?.lines().map(what_is_public).collect();

    let is_there = |item: &str| present.contains(item) || present.contains(&item.replacen("impl !", "impl ", 1));
    let mut missing: Vec<_> = expected.iter().filter(|item| !is_there(item)).collect();
    missing.sort_unstable();
    for item in &missing {
        eprintln!("{list}: MISSING: {item}");
    }
    let more = present.iter().filter(|item| !expected.contains(*item)).count();
    println!("{list}: {} items, {} missing; {more} more are there", expected.len(), missing.len());
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes from a line what it tells about private fields (that there are some, without names, or only one), and the name of a
/// lifetime that needs none.
fn what_is_public(item: &str) -> String {
    let item = item.strip_prefix("#[repr(transparent)] ").unwrap_or(item);
    let item = item.strip_suffix("(_)").unwrap_or(item);
    item.replacen("impl<'a> ", "impl ", 1).replace("&'a ", "&").replace("<'a>", "<'_>")
}
